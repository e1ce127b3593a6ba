module {{name}}

go 1.19

require sealer/sdk v0.0.0

replace sealer/sdk => ./sdk
