{{/*
The pod that runs riskpipe itself. A dict is wanted: root (the top), component (a label), args, asOf.
*/}}

{{- define "riskpipe.driverMetadata" -}}
labels:
  {{- include "riskpipe.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .root.Values.driver.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  checksum/config: {{ printf "%s%s" (include "riskpipe.config" .root) (.root.Files.Get "files/as-of.sh") | sha256sum }}
  {{- with .root.Values.driver.annotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "riskpipe.driverSpec" -}}
{{- $values := .root.Values -}}
restartPolicy: Never
serviceAccountName: {{ include "riskpipe.driverAccount" .root }}
automountServiceAccountToken: true
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.driver.terminationGracePeriodSeconds }}
securityContext:
  {{- include "riskpipe.podSecurityContext" .root | nindent 2 }}
{{- with $values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with $values.driver.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.driver.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.driver.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.driver.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: riskpipe
    image: {{ include "riskpipe.image" .root }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args:
      {{- $start := ternary (list "sh" "/etc/riskpipe/config/as-of.sh" .asOf) (list "riskpipe") (ne .asOf "") }}
      {{- toYaml (concat $start .args) | nindent 6 }}
    env:
      {{- include "riskpipe.driverEnv" .root | nindent 6 }}
    {{- if or $values.storage.credentialsSecret $values.driver.envFrom }}
    envFrom:
      {{- with $values.storage.credentialsSecret }}
      - secretRef: {name: {{ . }}}
      {{- end }}
      {{- with $values.driver.envFrom }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
    resources:
      {{- toYaml $values.driver.resources | nindent 6 }}
    securityContext:
      {{- include "riskpipe.containerSecurityContext" .root | nindent 6 }}
    volumeMounts:
      - {name: config, mountPath: /etc/riskpipe/config, readOnly: true}
      - {name: tls, mountPath: /etc/riskpipe/tls, readOnly: true}
      - {name: tmp, mountPath: /tmp}
      {{- if include "riskpipe.hasClaim" .root }}
      - {name: data, mountPath: {{ $values.storage.claim.mountPath }}}
      {{- end }}
volumes:
  - name: config
    configMap:
      name: {{ include "riskpipe.fullname" .root }}
  - name: tls
    secret:
      secretName: {{ include "riskpipe.tlsSecret" .root }}
      defaultMode: 0440
  - name: tmp
    emptyDir:
      sizeLimit: {{ $values.driver.tmpSize }}
  {{- if include "riskpipe.hasClaim" .root }}
  - name: data
    persistentVolumeClaim:
      claimName: {{ include "riskpipe.claim" .root }}
  {{- end }}
{{- end }}

{{- define "riskpipe.driverEnv" -}}
- {name: RISKPIPE_CONFIG, value: /etc/riskpipe/config/riskpipe.yaml}
- {name: HOME, value: /tmp}
- {name: USER, value: riskpipe}
# Who the driver is, for the owner of the clusters that it makes; its Job's name tells when the CronJob was due.
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: JOB_NAME, valueFrom: {fieldRef: {fieldPath: "metadata.labels['job-name']"}}}
{{- if .Values.nightly.timeZone }}
- {name: TZ, value: {{ .Values.nightly.timeZone | quote }}}
{{- end }}
{{- with .Values.driver.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Exit codes that the same command would only repeat: usage, inputs, partial, a gate. */}}
{{- define "riskpipe.failurePolicy" -}}
{{- if include "riskpipe.hasFailurePolicy" . -}}
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        containerName: riskpipe
        operator: In
        values: [2, 3, 4, 5]
      # Empty, since the schemas before Kubernetes 1.29 ask for it.
      onPodConditions: []
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
{{- end -}}
{{- end }}
