//===- RandomMask.h - random programs that make a mask ----------*- C++ -*-===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef NXDT_TEST_PASSES_RANDOMMASK_H
#define NXDT_TEST_PASSES_RANDOMMASK_H

#include "RandomText.h"

namespace nxdt::test {

/// Operators that compute a [rows, columns] tensor from nothing.
class RandomMask {
public:
  RandomMask(Dice &dice, int64_t rows, int64_t columns,
             std::string prefix = "%m")
      : dice(dice), rows(rows), columns(columns), prefix(std::move(prefix)) {
    result = dice.roll(3) ? boolean(2) : number(2);
  }
  /// One that masks with -inf: a tensor of bools, often causal or nearly.
  static RandomMask ofBools(Dice &dice, int64_t size, std::string prefix) {
    RandomMask mask(dice, size, size, std::move(prefix), Bools{});
    mask.result = mask.boolean(1);
    return mask;
  }

  const std::string &body() const { return text; }
  const std::string &name() const { return result.name; }
  std::string type() const { return result.type(); }

private:
  struct Bools {};
  RandomMask(Dice &dice, int64_t rows, int64_t columns, std::string prefix,
             Bools)
      : dice(dice), rows(rows), columns(columns), prefix(std::move(prefix)) {}

  struct Value {
    std::string name, shape, element;
    std::string type() const { return "tensor<" + shape + element + ">"; }
  };

  std::string whole() const {
    return std::to_string(rows) + "x" + std::to_string(columns) + "x";
  }
  std::string sizes() const { return listText({rows, columns}); }

  Value put(const std::string &callee, const std::string &args,
            const std::string &types, std::string shape, std::string element) {
    Value value{prefix + std::to_string(next++), std::move(shape),
                std::move(element)};
    text += "  " + value.name + " = nxdt.aten \"aten::" + callee + "\"(" +
            args + ") : (" + types + ") -> " + value.type() + "\n";
    return value;
  }

  /// The index of the row or the column, as [rows, 1], [columns] or [1,
  /// columns].
  Value index(bool ofRow) {
    int64_t size = ofRow ? rows : columns;
    int64_t start = dice.between(-1, 2), step = dice.between(1, 2);
    Value line =
        put("arange.start_step",
            std::to_string(start) + ", " + std::to_string(start + step * size) +
                ", " + std::to_string(step) + ", none, none, device, none",
            "", std::to_string(size) + "x", "i64");
    if (dice.roll(3) == 0)
      line = put("to.dtype", line.name + ", f32, false, false, none",
                 line.type(), line.shape, "f32");
    if (ofRow)
      return dice.roll(2) ? put("unsqueeze", line.name + ", -1", line.type(),
                                line.shape + "1x", line.element)
                          : put("view", line.name + ", " + listText({size, 1}),
                                line.type(), line.shape + "1x", line.element);
    return dice.roll(2) ? line
                        : put("unsqueeze", line.name + ", 0", line.type(),
                              "1x" + line.shape, line.element);
  }

  /// A [rows, columns] tensor of numbers.
  Value number(int depth) {
    static const char *const constants[] = {"0.0", "1.0", "-2.0",
                                            "0xFFF0000000000000 : f64",
                                            "-3.4028234663852886e+38"};
    if (depth == 0 || dice.roll(4) == 0)
      return put("full",
                 sizes() + ", " + constants[dice.roll(5)] +
                     ", f32, none, device, none",
                 "", whole(), "f32");
    switch (dice.roll(5)) {
    case 0: {
      Value mask = boolean(depth - 1), a = number(depth - 1),
            b = number(depth - 1);
      return put("where.self", mask.name + ", " + a.name + ", " + b.name,
                 mask.type() + ", " + a.type() + ", " + b.type(), whole(),
                 "f32");
    }
    case 1: {
      Value mask = boolean(depth - 1), a = number(depth - 1);
      return put("masked_fill.Scalar",
                 a.name + ", " + mask.name + ", " + constants[dice.roll(5)],
                 a.type() + ", " + mask.type(), whole(), "f32");
    }
    case 2: {
      Value a = number(depth - 1), mask = boolean(depth - 1);
      return put("mul.Tensor", a.name + ", " + mask.name,
                 a.type() + ", " + mask.type(), whole(), "f32");
    }
    case 3: {
      Value a = number(depth - 1);
      return put(dice.roll(2) ? "triu" : "tril",
                 a.name + ", " + std::to_string(dice.between(-3, 3)), a.type(),
                 whole(), "f32");
    }
    default: {
      Value a = number(depth - 1), b = number(depth - 1);
      return put(dice.roll(2) ? "add.Tensor" : "sub.Tensor",
                 a.name + ", " + b.name + ", 1", a.type() + ", " + b.type(),
                 whole(), "f32");
    }
    }
  }

  /// A [rows, columns] tensor of bools.
  Value boolean(int depth) {
    static const char *const relations[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    std::string relation = relations[dice.roll(6)];
    switch (dice.roll(depth == 0 ? 3 : 8)) {
    case 0: {
      Value ones =
          put("ones", sizes() + ", i1, none, device, none", "", whole(), "i1");
      return put(dice.roll(2) ? "triu" : "tril",
                 ones.name + ", " + std::to_string(dice.between(-1, 2)),
                 ones.type(), whole(), "i1");
    }
    case 1: {
      Value row = index(true), column = index(false);
      if (dice.roll(2))
        return put(relation + ".Tensor", column.name + ", " + row.name,
                   column.type() + ", " + row.type(), whole(), "i1");
      std::string element = row.element == column.element ? row.element : "f32";
      Value difference =
          put("sub.Tensor", column.name + ", " + row.name + ", 1",
              column.type() + ", " + row.type(), whole(), element);
      return put(relation + ".Scalar",
                 difference.name + ", " + std::to_string(dice.between(-2, 2)),
                 difference.type(), whole(), "i1");
    }
    case 2: {
      // Part of something larger, turned over.
      std::string tall = std::to_string(rows + 2) + "x",
                  wide = std::to_string(2 * columns + 3) + "x";
      Value ones = put("ones",
                       listText({2 * columns + 3, rows + 2}) +
                           ", i1, none, device, none",
                       "", wide + tall, "i1");
      Value upper =
          put("triu", ones.name + ", " + std::to_string(dice.between(-2, 2)),
              ones.type(), ones.shape, "i1");
      Value turned = put("transpose.int", upper.name + ", 0, 1", upper.type(),
                         tall + wide, "i1");
      Value part = put("narrow",
                       turned.name + ", 0, " + std::to_string(dice.roll(3)) +
                           ", " + std::to_string(rows),
                       turned.type(), std::to_string(rows) + "x" + wide, "i1");
      int64_t start = dice.roll(4), step = dice.between(1, 2);
      return put("slice.Tensor",
                 part.name + ", 1, " + std::to_string(start) + ", " +
                     std::to_string(start + step * columns) + ", " +
                     std::to_string(step),
                 part.type(), whole(), "i1");
    }
    case 3: {
      Value a = boolean(depth - 1);
      return put(dice.roll(2) ? "logical_not" : "bitwise_not", a.name, a.type(),
                 whole(), "i1");
    }
    case 4:
    case 5: {
      static const char *const names[] = {"logical_and", "logical_or",
                                          "logical_xor", "bitwise_and.Tensor",
                                          "bitwise_or.Tensor"};
      Value a = boolean(depth - 1), b = boolean(depth - 1);
      return put(names[dice.roll(5)], a.name + ", " + b.name,
                 a.type() + ", " + b.type(), whole(), "i1");
    }
    case 6: {
      Value a = number(depth - 1);
      return put(relation + ".Scalar", a.name + ", -1", a.type(), whole(),
                 "i1");
    }
    default: {
      // Through a leading dimension and back.
      Value a = boolean(depth - 1);
      Value up =
          put("unsqueeze", a.name + ", 0", a.type(), "1x" + whole(), "i1");
      Value wide = put(
          "expand", up.name + ", " + listText({3, rows, columns}) + ", false",
          up.type(), "3x" + whole(), "i1");
      return put("select.int",
                 wide.name + ", 0, " + std::to_string(dice.roll(3)),
                 wide.type(), whole(), "i1");
    }
    }
  }

  Dice &dice;
  int64_t rows, columns;
  std::string prefix, text;
  int next = 0;
  Value result;
};

} // namespace nxdt::test

#endif // NXDT_TEST_PASSES_RANDOMMASK_H
