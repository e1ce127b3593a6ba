{{- define "registry_url" -}}
{{- if .Values.privateRegistry.registryUrl -}}
{{- printf "%s/" .Values.privateRegistry.registryUrl -}}
{{- else -}}
{{- if .Values.global.cattle.systemDefaultRegistry }}{{- printf "%s/" .Values.global.cattle.systemDefaultRegistry -}}{{- end }}
{{- end -}}
{{- end -}}
{{- define "storage.image" -}}
{{- $component := index . 1 -}}{{- with index . 0 -}}
{{- if $component.registry }}{{ $component.registry }}/{{ else }}{{ template "registry_url" . }}{{ end }}{{ $component.repository }}:{{ $component.tag }}
{{- end -}}
{{- end -}}
