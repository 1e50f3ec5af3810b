module github.com/patchflow/patchflow

go 1.25.0

require (
	github.com/pierrec/lz4/v4 v4.1.33
	github.com/stretchr/testify v1.12.1
	github.com/ulikunitz/xz v0.5.17
)

require go.yaml.in/yaml/v3 v3.0.6 // indirect
