// RUN: nxdt-opt %s --record-scales --verify-diagnostics

// expected-error @+1 {{the factors are recorded already, in 'nxdt.scales'; a second record would hide what came since}}
module attributes {nxdt.scales = {}} {}
