{{- define "network.image" -}}
{{- if kindIs "map" . -}}
{{- if .override -}}{{- printf "%s" .override -}}{{- else -}}
{{- $digest := (.useDigest | default false) | ternary (printf "@%s" .digest) "" -}}
{{- printf "%s:%s%s" .repository .tag $digest -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- define "network.operator.cloud" -}}{{- if .Values.eni.enabled -}}aws{{- else -}}generic{{- end -}}{{- end -}}
{{- define "network.operator.image" -}}
{{- $cloud := include "network.operator.cloud" . -}}
{{- $digest := get .Values.operator.image (printf "%sDigest" $cloud) -}}
{{- printf "%s-%s%s:%s%s" .Values.operator.image.repository $cloud .Values.operator.image.suffix .Values.operator.image.tag (ternary (printf "@%s" $digest) "" (and .Values.operator.image.useDigest (ne $digest ""))) -}}
{{- end -}}
