// RUN: nxdt-opt %s --bucket-collectives --verify-diagnostics

// expected-error @+1 {{'nxdt.bucket_bytes' is -1, expected at least 0}}
module attributes {nxdt.bucket_bytes = -1 : i64} {
}
