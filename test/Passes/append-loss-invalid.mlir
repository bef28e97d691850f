// RUN: nxdt-opt %s --append-loss --split-input-file --verify-diagnostics

// expected-error @+1 {{append-loss needs a function @forward that returns logits}}
module {}

// -----

// expected-error @+1 {{returns 'tensor<4x8xf32>', wanted floating-point logits [batch, sequence, vocabulary]}}
func.func @forward(%x: tensor<4x8xf32>) -> tensor<4x8xf32> { return %x : tensor<4x8xf32> }

// -----

// expected-error @+1 {{returns 'tensor<1x4x8xi64>', wanted floating-point logits}}
func.func @forward(%x: tensor<1x4x8xi64>) -> tensor<1x4x8xi64> { return %x : tensor<1x4x8xi64> }
