//===- MutatePlan.cpp - wrong plans, and who refuses them -----------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// nxdt-mutate-plan PLAN.json [--every=N] [--survivors=FOLDER] [--only-pending]:
// breaks each collective, declaration, action and channel of a compiled plan,
// or of those of all stages, in every way it knows (of these every N-th), and
// prints a line per mutant: phase, kind, what was broken, who refused it, and
// the file in FOLDER with the plan where nobody did
// ("-" otherwise). The plan itself must be accepted: exit code 1 if it is not.
//
//===----------------------------------------------------------------------===//
#include "PlanMutants.h"

#include "nxdt/Plan/PlanJson.h"
#include "nxdt/Plan/PlanVerify.h"
#include "nxdt/Schedule/FamilySchedule.h"
#include "nxdt/Support/UserError.h"
#include "nxdt/Verify/VerifyComm.h"
#include "nxdt/Verify/VerifySpmd.h"

#include <fstream>
#include <iostream>
#include <iterator>

using namespace nxdt;

/// The first to refuse; "survived" if nobody does.
static std::string killerOf(const Mutant &mutant) {
  const char *verifier = "plan::verify";
  try {
    for (const plan::Plan &stage : mutant.family.stages)
      plan::verify(stage, "mutant");
    verifier = "plan::verifyFamily";
    plan::verifyFamily(mutant.family, "mutant");
    verifier = "verify-comm";
    if (mutant.classes.empty())
      verifyComm(mutant.family, "mutant");
    else
      verifyRendezvous(plan::meshOf(mutant.family.stages[0]), mutant.classes,
                       "mutant");
    verifier = "verify-spmd";
    for (const plan::Plan &stage : mutant.family.stages)
      verifySpmd(stage, "mutant");
    verifier = "schedule::verifySchedules";
    schedule::verifySchedules(mutant.family, "mutant");
  } catch (const UserError &) {
    return verifier;
  }
  return "survived";
}

int main(int argc, char **argv) {
  if (argc < 2) {
    std::cerr << "usage: nxdt-mutate-plan PLAN.json [--every=N] "
                 "[--survivors=FOLDER]\n";
    return 1;
  }
  int64_t every = 1, number = 0;
  std::string survivors;
  bool isPendingOnly = false;
  for (int i = 2; i < argc; ++i) {
    std::string argument = argv[i];
    if (argument.starts_with("--every="))
      every = std::stoll(argument.substr(8));
    if (argument == "--only-pending")
      isPendingOnly = true;
    if (argument.starts_with("--survivors="))
      survivors = argument.substr(12);
  }
  try {
    std::ifstream file(argv[1]);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    Mutant original{"", "", plan::familyFromJson(text, argv[1])};
    if (std::string killer = killerOf(original); killer != "survived")
      throw UserError(std::string(argv[1]) + " is refused as it is by " +
                      killer);
    auto forEach = isPendingOnly ? forEachPendingMutant : forEachMutant;
    forEach(original.family, [&](const std::function<Mutant()> &make) {
      if (number++ % every)
        return;
      Mutant mutant = make();
      std::string killer = killerOf(mutant), file = "-";
      // Ranks that differ are no plan.
      if (killer == "survived" && mutant.classes.empty() &&
          !survivors.empty()) {
        file = survivors + "/plan-" + std::to_string(number) + ".json";
        std::ofstream(file) << plan::toJson(mutant.family);
      }
      std::cout << "plan\t" << mutant.kind << '\t' << mutant.place << '\t'
                << killer << '\t' << file << '\n';
    });
  } catch (const UserError &error) {
    std::cerr << "error: " << error.what() << '\n';
    return 1;
  }
}
