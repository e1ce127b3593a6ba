{{- define "dashboards.pod" -}}
{{- $root := . -}}
initContainers:
{{- if .Values.initChownData.enabled }}
  - name: init-chown-data
    {{- $registry := .Values.global.imageRegistry | default .Values.initChownData.image.registry }}
    {{- if .Values.initChownData.image.sha }}
    image: "{{ $registry }}/{{ .Values.initChownData.image.repository }}:{{ .Values.initChownData.image.tag }}@sha256:{{ .Values.initChownData.image.sha }}"
    {{- else }}
    image: "{{ $registry }}/{{ .Values.initChownData.image.repository }}:{{ .Values.initChownData.image.tag }}"
    {{- end }}
{{- end }}
{{- with .Values.extraInitContainers }}
  {{- tpl (toYaml .) $root | nindent 2 }}
{{- end }}
containers:
{{- range $kind := list "dashboards" "datasources" }}
{{- if (index $root.Values.sidecar $kind).enabled }}
  - name: sc-{{ $kind }}
    {{- with $root.Values.sidecar.image }}
    image: "{{ .registry }}/{{ .repository }}:{{ .tag }}{{ if .sha }}@sha256:{{ .sha }}{{ end }}"
    {{- end }}
{{- end }}
{{- end }}
  - name: {{ .Chart.Name }}
    image: "{{ .Values.global.imageRegistry | default .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
{{- with .Values.extraContainers }}
  {{- tpl . $root | nindent 2 }}
{{- end }}
{{- end }}
