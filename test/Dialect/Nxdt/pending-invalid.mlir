// RUN: nxdt-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{'i32' is no tensor}}
func.func private @number(!nxdt.pending<i32>)

// -----

func.func @never(%a: tensor<8xf32>) {
  // expected-error @+1 {{must be waited for once}}
  %p = nxdt.all_reduce_start %a {axes = [#nxdt.axis<dp:(1)2>], reason = "r", reduction = "sum"} : (tensor<8xf32>) -> !nxdt.pending<tensor<8xf32>>
  return
}

// -----

func.func @twice(%a: tensor<8xf32>) {
  // expected-error @+1 {{must be waited for once}}
  %p = nxdt.all_reduce_start %a {axes = [#nxdt.axis<dp:(1)2>], reason = "r", reduction = "sum"} : (tensor<8xf32>) -> !nxdt.pending<tensor<8xf32>>
  %0 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>> -> tensor<8xf32>
  %1 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>> -> tensor<8xf32>
  return
}

// -----

func.func @count(%a: tensor<8xf32>) {
  // expected-error @+1 {{has 1 operands, but 2 tensors are pending}}
  %p = nxdt.all_reduce_start %a {axes = [#nxdt.axis<dp:(1)2>], reason = "r", reduction = "sum"} : (tensor<8xf32>) -> !nxdt.pending<tensor<8xf32>, tensor<8xf32>>
  %0:2 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>, tensor<8xf32>> -> tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @reasons(%a: tensor<8xf32>) {
  // expected-error @+1 {{needs 'modules', one for each operand}}
  %p = nxdt.all_reduce_start %a, %a {axes = [#nxdt.axis<dp:(1)2>], reason = "r", reduction = "sum"} : (tensor<8xf32>, tensor<8xf32>) -> !nxdt.pending<tensor<8xf32>, tensor<8xf32>>
  %0:2 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>, tensor<8xf32>> -> tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @mixed(%a: tensor<8xf32>, %b: tensor<8xbf16>) {
  // expected-error @+1 {{sends 'f32' and 'bf16' together}}
  %p = nxdt.all_reduce_start %a, %b {axes = [#nxdt.axis<dp:(1)2>], modules = ["", ""], reason = "r", reasons = ["", ""], reduction = "sum"} : (tensor<8xf32>, tensor<8xbf16>) -> !nxdt.pending<tensor<8xf32>, tensor<8xbf16>>
  %0:2 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>, tensor<8xbf16>> -> tensor<8xf32>, tensor<8xbf16>
  return
}

// -----

func.func @shape(%a: tensor<8xf32>) {
  // expected-error @+1 {{the result is 'tensor<8xf32>', wanted 'tensor<4xf32>'}}
  %p = nxdt.reduce_scatter_start %a {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reason = "r", reduction = "sum"} : (tensor<8xf32>) -> !nxdt.pending<tensor<8xf32>>
  %0 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>> -> tensor<8xf32>
  return
}

// -----

func.func @types(%a: tensor<8xf32>) {
  %p = nxdt.all_gather_start %a {axes = [#nxdt.axis<dp:(1)2>], dim = 0, reason = "r"} : (tensor<8xf32>) -> !nxdt.pending<tensor<16xf32>>
  // expected-error @+1 {{gives other types than '!nxdt.pending<tensor<16xf32>>'}}
  %0 = nxdt.wait %p : !nxdt.pending<tensor<16xf32>> -> tensor<8xf32>
  return
}

// -----

func.func @nobody(%p: !nxdt.pending<tensor<8xf32>>) {
  // expected-error @+1 {{waits for what no start of its block gives}}
  %0 = nxdt.wait %p : !nxdt.pending<tensor<8xf32>> -> tensor<8xf32>
  return
}
