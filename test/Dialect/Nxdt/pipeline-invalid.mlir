// RUN: nxdt-opt %s --split-input-file --verify-diagnostics

#mesh = #nxdt.mesh<pp = 2, dp = 2>
func.func @other(%x: tensor<f32, #nxdt.sharding<#mesh, []>>) -> tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>> {
  // expected-error @+1 {{makes its input partial over 'pp' and nothing else}}
  %0 = nxdt.stage_term %x : tensor<f32, #nxdt.sharding<#mesh, []>> -> tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>>
  return %0 : tensor<f32, #nxdt.sharding<#mesh, [], partial [dp]>>
}

// -----

#mesh = #nxdt.mesh<pp = 2>
func.func @shape(%x: tensor<f32, #nxdt.sharding<#mesh, []>>) -> tensor<f64, #nxdt.sharding<#mesh, [], partial [pp]>> {
  // expected-error @+1 {{changes shape or element type}}
  %0 = nxdt.stage_term %x : tensor<f32, #nxdt.sharding<#mesh, []>> -> tensor<f64, #nxdt.sharding<#mesh, [], partial [pp]>>
  return %0 : tensor<f64, #nxdt.sharding<#mesh, [], partial [pp]>>
}

// -----

#mesh = #nxdt.mesh<pp = 2, tp = 2>
func.func @split(%x: tensor<4xf32, #nxdt.sharding<#mesh, [[]]>>) -> tensor<4xf32, #nxdt.sharding<#mesh, [[tp]], partial [pp]>> {
  // expected-error @+1 {{changes how dimensions are split}}
  %0 = nxdt.stage_term %x : tensor<4xf32, #nxdt.sharding<#mesh, [[]]>> -> tensor<4xf32, #nxdt.sharding<#mesh, [[tp]], partial [pp]>>
  return %0 : tensor<4xf32, #nxdt.sharding<#mesh, [[tp]], partial [pp]>>
}

// -----

func.func @bare(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @+1 {{needs a sharding on both sides}}
  %0 = nxdt.stage_term %x : tensor<f32> -> tensor<f32>
  return %0 : tensor<f32>
}

// -----

nxdt.buffer @x {role = "carry"} : tensor<4xf32>
// expected-error @+1 {{goes from stage 1 to itself}}
nxdt.channel @c from 1 @x to 1 @x {after = "a", before = "b", reason = "why"}
