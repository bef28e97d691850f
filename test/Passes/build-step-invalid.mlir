// RUN: nxdt-opt %s --build-step --split-input-file --verify-diagnostics

// expected-error @+1 {{build-step needs @forward and @gradients; run autodiff first}}
module {}

// -----

// expected-error @+1 {{build-step needs the module attribute 'nxdt.train'}}
module {
  func.func @forward() { return }
  func.func @gradients() { return }
}

// -----

// expected-error @+1 {{unknown optimizer 'lamb'; known are adamw, adamw_fp32OptState, sgd}}
module attributes {nxdt.train = {optimizer = "lamb", weight_decay = 0.1}} {
  func.func @forward() { return }
  func.func @gradients() { return }
}

// -----

// expected-error @+1 {{'nxdt.train' needs the number 'momentum'}}
module attributes {nxdt.train = {optimizer = "sgd", weight_decay = 0.1, dampening = 0.0}} {
  func.func @forward() { return }
  func.func @gradients() { return }
}

// -----

module attributes {nxdt.train = {optimizer = "sgd", weight_decay = 0.1, dampening = 0.0, momentum = 0.0}} {
  // expected-error @+1 {{'lr' is the name of a value that every step has; rename the parameter or buffer}}
  nxdt.buffer @lr {role = "param"} : tensor<4xf32>
  func.func @forward() { return }
  func.func @gradients() { return }
}
