// RUN: nxdt-opt %s --recompute --split-input-file --verify-diagnostics

// expected-error @+1 {{'nxdt.recompute' is a list of patterns}}
module attributes {nxdt.recompute = [1 : i64]} {
}

// -----

// expected-error @+1 {{'nxdt.recompute': '[a': invalid glob pattern, unmatched '['}}
module attributes {nxdt.recompute = ["[a"]} {
}

// -----

// expected-remark @+1 {{'nxdt.recompute': nothing that 'layers.*' matches is kept for the backward}}
module attributes {nxdt.recompute = ["layers.*"]} {
  func.func @train_step() {
    return
  }
}
