{{/* Names and labels. */}}

{{- define "riskpipe.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "riskpipe.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "riskpipe.labels" -}}
{{ include "riskpipe.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "riskpipe.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- define "riskpipe.driverAccount" -}}
{{- .Values.serviceAccounts.driver.name | default (printf "%s-driver" (include "riskpipe.fullname" .)) -}}
{{- end }}

{{- define "riskpipe.workerAccount" -}}
{{- .Values.serviceAccounts.worker.name | default (printf "%s-worker" (include "riskpipe.fullname" .)) -}}
{{- end }}

{{- define "riskpipe.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (printf "%s-tls" (include "riskpipe.fullname" .)) -}}
{{- end }}

{{- define "riskpipe.claim" -}}
{{- .Values.storage.claim.existingClaim | default (printf "%s-data" (include "riskpipe.fullname" .)) -}}
{{- end }}

{{/* Whether there is a volume for the data. */}}
{{- define "riskpipe.hasClaim" -}}
{{- if or .Values.storage.claim.create .Values.storage.claim.existingClaim -}}yes{{- end -}}
{{- end }}

{{/* Versions of the API. */}}

{{- define "riskpipe.cronJobVersion" -}}
{{- if .Capabilities.APIVersions.Has "batch/v1/CronJob" -}}batch/v1
{{- else if semverCompare ">=1.21.0-0" .Capabilities.KubeVersion.Version -}}batch/v1
{{- else -}}batch/v1beta1
{{- end -}}
{{- end }}

{{- define "riskpipe.disruptionBudgetVersion" -}}
{{- if .Capabilities.APIVersions.Has "policy/v1/PodDisruptionBudget" -}}policy/v1
{{- else if semverCompare ">=1.21.0-0" .Capabilities.KubeVersion.Version -}}policy/v1
{{- else -}}policy/v1beta1
{{- end -}}
{{- end }}

{{/* A CronJob's own time zone and a Job's rules about exit codes. */}}

{{- define "riskpipe.hasTimeZone" -}}
{{- if semverCompare ">=1.25.0-0" .Capabilities.KubeVersion.Version -}}yes{{- end -}}
{{- end }}

{{- define "riskpipe.hasFailurePolicy" -}}
{{- if semverCompare ">=1.26.0-0" .Capabilities.KubeVersion.Version -}}yes{{- end -}}
{{- end }}
