{{/* riskpipe.yaml: the value `config`, with what the chart knows about the pods in cluster.kubernetes. */}}

{{- define "riskpipe.podSecurityContext" -}}
{{- $context := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") -}}
{{- range $key, $value := .Values.podSecurityContext -}}
{{- if not (kindIs "invalid" $value) -}}{{- $_ := set $context $key $value -}}{{- end -}}
{{- end -}}
{{- toYaml $context -}}
{{- end }}

{{- define "riskpipe.containerSecurityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
readOnlyRootFilesystem: true
{{- end }}

{{- define "riskpipe.podSettings" -}}
{{- $given := .Values.config.cluster.kubernetes.pods | default dict -}}
{{- $labels := include "riskpipe.selector" . | fromYaml -}}
{{- $pods := dict
      "service_account" (include "riskpipe.workerAccount" .)
      "security_context" (include "riskpipe.podSecurityContext" . | fromYaml) -}}
{{- $pods = mergeOverwrite $pods (deepCopy $given) -}}
{{- $_ := set $pods "labels" (merge (dict) $labels ($given.labels | default dict)) -}}
{{- if .Values.storage.credentialsSecret -}}
{{- $secret := dict "secretRef" (dict "name" .Values.storage.credentialsSecret) -}}
{{- $_ := set $pods "env_from" (prepend ($given.env_from | default list) $secret) -}}
{{- end -}}
{{- if include "riskpipe.hasClaim" . -}}
{{- $volume := dict "name" "data" "persistentVolumeClaim" (dict "claimName" (include "riskpipe.claim" .)) -}}
{{- $mount := dict "name" "data" "mountPath" .Values.storage.claim.mountPath -}}
{{- $_ := set $pods "volumes" (prepend ($given.volumes | default list) $volume) -}}
{{- $_ := set $pods "volume_mounts" (prepend ($given.volume_mounts | default list) $mount) -}}
{{- end -}}
{{- toYaml $pods -}}
{{- end }}

{{- define "riskpipe.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if eq .Values.config.cluster.kind "kubernetes" -}}
{{- $known := dict
      "image" (include "riskpipe.image" .)
      "image_pull_policy" .Values.image.pullPolicy
      "image_pull_secrets" .Values.image.pullSecrets
      "tls_secret" (include "riskpipe.tlsSecret" .) -}}
{{- $kubernetes := mergeOverwrite $known $config.cluster.kubernetes -}}
{{- $_ := set $kubernetes "pods" (include "riskpipe.podSettings" . | fromYaml) -}}
{{- $_ := set $config.cluster "kubernetes" $kubernetes -}}
{{- else -}}
{{- $_ := unset $config.cluster "kubernetes" -}}
{{- end -}}
{{- toYaml $config -}}
{{- end }}
