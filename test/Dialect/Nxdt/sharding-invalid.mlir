// RUN: nxdt-opt %s --split-input-file --verify-diagnostics

#mesh = #nxdt.mesh<dp = 2, tp = 4>
// expected-error @+1 {{axis 'tp' is used twice}}
func.func @f(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp], [tp]]>>) { return }

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
// Parts that share coordinates are one axis used twice.
// expected-error @+1 {{axis 'tp' is used twice}}
func.func @f(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp:(1)2], []], partial [tp]>>) { return }

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
// expected-error @+1 {{sharding has 1 dimensions, the tensor 2}}
func.func @f(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp]]>>) { return }

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
// expected-error @+1 {{mesh has no axis 'cp'}}
func.func @f(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[cp], []]>>) { return }

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
// expected-error @+1 {{part (2)4 does not divide axis 'tp' of size 4}}
func.func @f(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[tp:(2)4], []]>>) { return }

// -----

#mesh = #nxdt.mesh<pp = 2, tp = 4>
// expected-error @+1 {{axis 'pp' separates stages and splits no tensor}}
func.func @f(%a: tensor<8x64xf32, #nxdt.sharding<#mesh, [[pp], []]>>) { return }

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
// expected-error @+1 {{a tensor of bools cannot be a partial sum}}
func.func @f(%a: tensor<8xi1, #nxdt.sharding<#mesh, [[]], partial [tp]>>) { return }

// -----

// expected-error @+1 {{mesh has axis 'tp' twice}}
#mesh = #nxdt.mesh<tp = 2, tp = 4>

// -----

// expected-error @+1 {{mesh axis 'tp' has size 0}}
#mesh = #nxdt.mesh<tp = 0>
