#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifySpmd.h"
#include <fstream>
#include <iostream>
#include <sstream>
using namespace nxdt;
int main(int argc, char **argv) {
  int bad = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream f(argv[i]);
    std::stringstream s;
    s << f.rdbuf();
    try {
      plan::Plan p = plan::fromJson(s.str(), argv[i]);
      plan::verify(p, argv[i]);
      verifySpmd(p, argv[i]);
    } catch (UserError &e) {
      ++bad;
      std::cout << e.what() << "\n";
    }
  }
  std::cout << bad << " refused\n";
}
