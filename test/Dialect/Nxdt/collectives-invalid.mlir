// RUN: nxdt-opt %s --split-input-file --verify-diagnostics

#mesh = #nxdt.mesh<dp = 2, tp = 4>
func.func @f(%a: tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>) {
  // expected-error @+1 {{changes shape or element type, from 'tensor<8xf32>' to 'tensor<8xbf16>'}}
  %0 = nxdt.reshard %a {reason = "r"} : tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>> -> tensor<8xbf16, #nxdt.sharding<#mesh, [[tp]]>>
  return
}

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
func.func @f(%a: tensor<8xf32>) {
  // expected-error @+1 {{needs a sharding on both sides}}
  %0 = nxdt.reshard %a {reason = "r"} : tensor<8xf32> -> tensor<8xf32, #nxdt.sharding<#mesh, [[tp]]>>
  return
}

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
func.func @f(%a: tensor<8xf32, #nxdt.sharding<#mesh, [[]]>>) {
  // expected-error @+1 {{makes the value partial over 'tp'}}
  %0 = nxdt.reshard %a {reason = "r"} : tensor<8xf32, #nxdt.sharding<#mesh, [[]]>> -> tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [tp]>>
  return
}

// -----

#mesh = #nxdt.mesh<dp = 2, tp = 4>
func.func @f(%a: tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [dp, tp]>>) {
  // expected-error @+1 {{changes the reduction of a partial value}}
  %0 = nxdt.reshard %a {reason = "r"} : tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial [dp, tp]>> -> tensor<8xf32, #nxdt.sharding<#mesh, [[]], partial max [tp]>>
  return
}

// -----

func.func @f(%a: tensor<8xf32>) {
  // expected-error @+1 {{over a group of one rank}}
  %0 = nxdt.all_reduce %a {axes = [], reduction = "sum", reason = "r"} : tensor<8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%a: tensor<8xf32>) {
  // expected-error @+1 {{unknown reduction 'mean'; known are sum, max}}
  %0 = nxdt.all_reduce %a {axes = [#nxdt.axis<tp:(1)4>], reduction = "mean", reason = "r"} : tensor<8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @f(%a: tensor<8xf32>) {
  // expected-error @+1 {{the result is 'tensor<16xf32>', wanted 'tensor<32xf32>'}}
  %0 = nxdt.all_gather %a {axes = [#nxdt.axis<tp:(1)4>], dim = 0, reason = "r"} : tensor<8xf32> -> tensor<16xf32>
  return
}

// -----

func.func @f(%a: tensor<6xf32>) {
  // expected-error @+1 {{dimension 0 of size 6 does not split into 4 parts}}
  %0 = nxdt.reduce_scatter %a {axes = [#nxdt.axis<tp:(1)4>], dim = 0, reduction = "sum", reason = "r"} : tensor<6xf32> -> tensor<1xf32>
  return
}

// -----

func.func @f(%a: tensor<8xf32>) {
  // expected-error @+1 {{has no dimension 1}}
  %0 = nxdt.all_slice %a {axes = [#nxdt.axis<tp:(1)4>], dim = 1, reason = "r"} : tensor<8xf32> -> tensor<2xf32>
  return
}
