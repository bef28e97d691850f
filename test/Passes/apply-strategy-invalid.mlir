// RUN: nxdt-opt %s --apply-strategy --split-input-file --verify-diagnostics

// expected-error @+1 {{needs the module attribute 'nxdt.mesh'}}
module {
}

// -----

// expected-error @+1 {{sharding rule '*.gate.weight' matches no parameter; the nearest name is 'm.gated.weight'}}
module attributes {nxdt.mesh = #nxdt.mesh<tp = 4>, nxdt.sharding_rules = [{pattern = "*.gate.weight", dims = [["tp"], []]}]} {
  nxdt.buffer @m.up.weight {role = "param"} : tensor<64x16xf32>
  nxdt.buffer @m.gated.weight {role = "param"} : tensor<64x16xf32>
}

// -----

module attributes {nxdt.mesh = #nxdt.mesh<tp = 4>, nxdt.sharding_rules = [{pattern = "*.weight", dims = [["tp"], []]}, {pattern = "m.*", dims = [[], ["tp"]]}]} {
  // expected-error @+1 {{parameter 'm.up.weight' matches two sharding rules that differ: '*.weight' and 'm.*'}}
  nxdt.buffer @m.up.weight {role = "param"} : tensor<64x16xf32>
}

// -----

module attributes {nxdt.mesh = #nxdt.mesh<tp = 4>, nxdt.sharding_rules = [{pattern = "n", dims = [["tp"], []]}]} {
  // expected-error @+1 {{sharding rule 'n' has 2 dimensions, the parameter 'n' 1}}
  nxdt.buffer @n {role = "param"} : tensor<16xf32>
}

// -----

// expected-error @+1 {{sharding rule 'n': the mesh has no axis 'tensor'; it has dp, tp}}
module attributes {nxdt.mesh = #nxdt.mesh<dp = 1, tp = 4>, nxdt.sharding_rules = [{pattern = "n", dims = [["tensor"]]}]} {
  nxdt.buffer @n {role = "param"} : tensor<16xf32>
}

// -----

module attributes {nxdt.mesh = #nxdt.mesh<tp = 4>, nxdt.sharding_rules = [{pattern = "n", dims = [["tp"], ["tp"]]}]} {
  // expected-error @+1 {{axis 'tp' is used twice}}
  nxdt.buffer @n {role = "param"} : tensor<16x16xf32>
}
