// RUN: nxdt-opt %s --overlap-collectives --verify-diagnostics

func.func @never(%a: tensor<8xf32>) {
  // expected-error @+1 {{must be waited for once}}
  %p = nxdt.all_reduce_start %a {axes = [#nxdt.axis<dp:(1)2>], reason = "r", reduction = "sum"} : (tensor<8xf32>) -> !nxdt.pending<tensor<8xf32>>
  return
}
