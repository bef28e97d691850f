// RUN: nxdt-opt --verify-schedule=%S/../Inputs/Schedule/forward-two-stages.txt | FileCheck %s
// CHECK: forward-two-stages.txt: schedule 'eval_step' of 2 stages and 1 micro-batches is proved
