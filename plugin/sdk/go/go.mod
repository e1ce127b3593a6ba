module sealer/sdk

go 1.19
