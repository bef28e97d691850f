# lit's configuration: .mlir tests of dialect and passes, run by `ctest -R lit`.
import os

import lit.formats

config.name = "nxdt"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["Inputs", "EndToEnd", "Python", "Unit", "Distributed"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.nxdt_obj_root, "test", "lit")
config.environment["PATH"] = os.pathsep.join(
    [config.nxdt_tools_dir, config.llvm_tools_dir, config.environment["PATH"]]
)
# A variable of one CHECK-LABEL block is none of the next.
config.environment["FILECHECK_OPTS"] = "-enable-var-scope"
