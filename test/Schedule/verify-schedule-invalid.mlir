// Orders that hang (pytorch issue 172668): the circle is shown, a line per stage.
// RUN: not nxdt-opt --verify-schedule=%S/../Inputs/Schedule/pytorch-172668-both-send.txt 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: error: {{.*}}pytorch-172668-both-send.txt: schedule 'train_step': {{.*}}deadlock
// BOTH-NEXT: stage 1 has not begun `recv x.0 1`, it waits at `wait x.1 0` (action 5)
// BOTH-NEXT: stage 0 has not begun `recv x.1 0`, it waits at `wait x.0 1` (action 6)
// RUN: not nxdt-opt --verify-schedule=%S/../Inputs/Schedule/pytorch-172668-odd-ranks-receive-first.txt 2>&1 | FileCheck %s --check-prefix=ODD
// ODD: error: {{.*}}schedule 'train_step': {{.*}}deadlock
// ODD-NEXT: stage {{[01]}} has not begun `{{.*}}`, it waits at `wait
// ODD-NEXT: stage {{[01]}} has not begun `{{.*}}`, it waits at `wait
// RUN: sed '0,/^run forward.0 1/{/^run forward.0 1/d}' %S/../Inputs/Schedule/pytorch-172668-both-send.txt > %t.missing
// RUN: not nxdt-opt --verify-schedule=%t.missing 2>&1 | FileCheck %s --check-prefix=MISSING
// MISSING: error: {{.*}}schedule 'train_step': {{.*}}missing
// RUN: echo 'schedule train_step of' > %t.text
// RUN: not nxdt-opt --verify-schedule=%t.text 2>&1 | FileCheck %s --check-prefix=TEXT
// TEXT: error: {{.*}}: line 1: expected
// RUN: not nxdt-opt --verify-schedule=%t.none 2>&1 | FileCheck %s --check-prefix=NONE
// NONE: error: cannot read
