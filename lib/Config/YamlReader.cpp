//===- YamlReader.cpp - a YAML file as a tree of nodes --------------------===//
//
// Part of nxdt, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "YamlReader.h"
#include "PlainScalar.h"
#include "nxdt/Support/UserError.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace nxdt::config {
namespace {

/// Far beyond any configuration, far below what could hurt: nested aliases
/// multiply ("billion laughs").
constexpr size_t kMaxNodes = 200000;
constexpr size_t kMaxFileBytes = 16 << 20;
constexpr size_t kMaxDepth = 200;

/// Builds nodes from the parser's events. yaml-cpp's own YAML::Node would
/// lose whether a scalar was quoted and where an alias stood.
class Builder : public YAML::EventHandler {
public:
  Builder(const std::string &text, const std::string &name)
      : text(text), source(std::make_shared<const std::string>(name)) {}

  NodePtr root;
  bool sawDocument = false;

  void OnDocumentStart(const YAML::Mark &) override { sawDocument = true; }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    finish(Node::makeScalar({}, at(mark)), anchor, true);
  }

  void OnAlias(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    auto found = anchors.find(anchor);
    if (found == anchors.end() || open.count(found->second.get()))
      fail(mark, "an alias inside of what it stands for");
    NodePtr copy = found->second->clone();
    budget(copy->count(), mark);
    copy->location = copy->origin = at(mark);
    attach(copy, plainAnchors.count(anchor) > 0);
  }

  void OnScalar(const YAML::Mark &mark, const std::string &tag,
                YAML::anchor_t anchor, const std::string &value) override {
    bool plain = tag == "?";
    checkScalar(mark, plain ? value.size() : std::string::npos);
    if (plain && value == "<<" && expectsKey()) {
      finish(Node::makeScalar(value, at(mark)), anchor, true);
      return;
    }
    Scalar scalar;
    try {
      scalar = typed(mark, tag, value);
    } catch (const ScalarError &error) {
      fail(mark, error.what());
    }
    finish(Node::makeScalar(std::move(scalar), at(mark)), anchor, plain);
  }

  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    checkTag(mark, tag, "tag:yaml.org,2002:seq");
    push(Node::makeList(at(mark)), mark, anchor);
  }
  void OnSequenceEnd() override { pop(); }

  void OnMapStart(const YAML::Mark &mark, const std::string &tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    checkTag(mark, tag, "tag:yaml.org,2002:map");
    push(Node::makeMap(at(mark)), mark, anchor);
    stack.back().flow = style == YAML::EmitterStyle::Flow;
  }
  void OnMapEnd() override { pop(); }

  [[noreturn]] void fail(const YAML::Mark &mark,
                         const std::string &what) const {
    throw UserError(at(mark).str() + ": " + what);
  }

  Location at(const YAML::Mark &mark) const {
    return {Location::Kind::File, source, mark.line + 1, mark.column + 1};
  }

private:
  struct Frame {
    NodePtr node;
    /// Of a map: the key whose value comes next.
    NodePtr key;
    bool keyPlain = false;
    /// Keys seen, as type and text.
    std::set<std::string> keys;
    std::vector<NodePtr> merges;
    /// Of a map: {a: 1}, where a lone key is allowed.
    bool flow = false;
  };

  const std::string &text;
  std::shared_ptr<const std::string> source;
  std::vector<Frame> stack;
  std::map<YAML::anchor_t, NodePtr> anchors;
  std::set<YAML::anchor_t> plainAnchors;
  std::set<const Node *> open;
  size_t nodes = 0;

  /// What yaml-cpp lets pass: a quoted text that ends with the file, and a line
  /// of a map without a ':'.
  void checkScalar(const YAML::Mark &mark, size_t plainBytes) const {
    const char *blank = " \t\r\n";
    size_t i = static_cast<size_t>(mark.pos);
    // Tags and anchors stand before the text.
    while (i < text.size() && (text[i] == '&' || text[i] == '!'))
      i = text.find_first_not_of(blank, text.find_first_of(blank, i));
    if (i >= text.size())
      return;
    if (plainBytes != std::string::npos)
      i += plainBytes;
    else if (text[i] == '\'' || text[i] == '"')
      i = endOfQuotes(mark, i);
    else
      return; // a block of text
    if (stack.empty() || stack.back().flow || !stack.back().node->isMap())
      return;
    if (expectsKey())
      checkColon(mark, i);
    else
      checkIndent(mark);
  }

  /// A text on a line of its own belongs to the key above it only if it stands
  /// further to the right.
  void checkIndent(const YAML::Mark &mark) const {
    const Frame &frame = stack.back();
    bool sameLine = mark.line + 1 == frame.key->location.line;
    if (!sameLine && mark.column + 1 <= frame.node->location.column)
      fail(mark, "a ':' is missing here, or this line must be indented deeper "
                 "than the key above it");
  }

  size_t endOfQuotes(const YAML::Mark &mark, size_t i) const {
    char quote = text[i];
    for (++i; i < text.size(); ++i) {
      bool escape = quote == '"' ? text[i] == '\\'
                                 : text[i] == quote && i + 1 < text.size() &&
                                       text[i + 1] == quote;
      if (escape)
        ++i;
      else if (text[i] == quote)
        return i + 1;
    }
    fail(mark, "this quote is never closed");
  }

  void checkColon(const YAML::Mark &mark, size_t i) const {
    size_t line = text.rfind('\n', static_cast<size_t>(mark.pos));
    size_t first = text.find_first_not_of(
        " \t-", line == std::string::npos ? 0 : line + 1);
    // "? key" says by itself that it is one.
    if (first != std::string::npos && text[first] == '?')
      return;
    i = std::min(text.find_first_not_of(" \t", i), text.size());
    if (i == text.size() || text[i] != ':')
      fail(mark, "':' is missing after this key");
  }

  bool expectsKey() const {
    return !stack.empty() && stack.back().node->isMap() && !stack.back().key;
  }

  void budget(size_t more, const YAML::Mark &mark) {
    nodes += more;
    if (nodes > kMaxNodes)
      fail(mark, "more than " + std::to_string(kMaxNodes) +
                     " values (aliases counted as often as they are used)");
  }

  Scalar typed(const YAML::Mark &mark, const std::string &tag,
               const std::string &value) const {
    if (tag == "?")
      return typePlainScalar(value);
    if (tag == "!" || tag == "tag:yaml.org,2002:str")
      return value;
    if (tag == "tag:yaml.org,2002:int")
      return constructInt(value);
    if (tag == "tag:yaml.org,2002:float")
      return constructFloat(value);
    if (tag == "tag:yaml.org,2002:null")
      return {};
    if (tag == "tag:yaml.org,2002:bool") {
      std::string lower = value;
      for (char &c : lower)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (lower == "yes" || lower == "true" || lower == "on")
        return true;
      if (lower == "no" || lower == "false" || lower == "off")
        return false;
      throw ScalarError("'" + value + "' is not a boolean");
    }
    fail(mark, "the tag '" + tag + "' is not supported");
  }

  void checkTag(const YAML::Mark &mark, const std::string &tag,
                const char *own) const {
    if (tag != "?" && tag != "!" && tag != own)
      fail(mark, "the tag '" + tag + "' is not supported");
  }

  void finish(const NodePtr &node, YAML::anchor_t anchor, bool plain) {
    YAML::Mark mark;
    mark.line = node->location.line - 1;
    mark.column = node->location.column - 1;
    budget(1, mark);
    if (anchor) {
      anchors[anchor] = node;
      if (plain)
        plainAnchors.insert(anchor);
    }
    attach(node, plain);
  }

  void push(const NodePtr &node, const YAML::Mark &mark,
            YAML::anchor_t anchor) {
    budget(1, mark);
    if (expectsKey())
      fail(mark, "a key must be a single word, not a list or a map");
    if (stack.size() >= kMaxDepth)
      fail(mark, "nested deeper than " + std::to_string(kMaxDepth) + " levels");
    if (anchor)
      anchors[anchor] = node;
    open.insert(node.get());
    stack.push_back({node, nullptr, false, {}, {}, false});
  }

  void pop() {
    Frame frame = std::move(stack.back());
    stack.pop_back();
    open.erase(frame.node.get());
    for (const NodePtr &merge : frame.merges)
      applyMerge(*frame.node, *merge);
    attach(frame.node, false);
  }

  void attach(const NodePtr &node, bool plain) {
    if (stack.empty()) {
      root = node;
      return;
    }
    Frame &frame = stack.back();
    if (frame.node->isList()) {
      frame.node->append(node);
      return;
    }
    if (!frame.key) {
      acceptKey(frame, node, plain);
      return;
    }
    NodePtr key = std::move(frame.key);
    frame.key = nullptr;
    if (frame.keyPlain && key->string() && *key->string() == "<<") {
      acceptMerge(frame, node);
      return;
    }
    node->parent = frame.node.get();
    frame.node->entries.push_back({key->scalar, key->location, node});
  }

  void acceptKey(Frame &frame, const NodePtr &node, bool plain) {
    if (node->isContainer())
      throw UserError(node->location.str() +
                      ": a key must be a single word, not a list or a map");
    if (node->isNull())
      throw UserError(node->location.str() + ": null cannot be a key");
    std::string id =
        std::to_string(node->scalar.index()) + ":" + show(node->scalar);
    if (const std::string *text = node->string())
      id = "s:" + *text;
    if (!frame.keys.insert(id).second) {
      std::string where;
      for (const Entry &entry : frame.node->entries)
        if (entry.key == node->scalar)
          where =
              " (first at line " + std::to_string(entry.keyLocation.line) + ")";
      throw UserError(node->location.str() + ": duplicate key " +
                      show(node->scalar) + where);
    }
    frame.key = node;
    frame.keyPlain = plain;
  }

  void acceptMerge(Frame &frame, const NodePtr &node) {
    auto refuse = [&] {
      throw UserError(node->location.str() +
                      ": '<<' merges a map or a list of maps");
    };
    if (node->isMap()) {
      frame.merges.push_back(node);
      return;
    }
    if (!node->isList())
      refuse();
    for (const NodePtr &item : node->items) {
      if (!item->isMap())
        refuse();
      frame.merges.push_back(item);
    }
  }

  /// Merged keys come first and lose against the map's own; of several merged
  /// maps the first wins.
  static void applyMerge(Node &target, const Node &merged) {
    std::vector<Entry> own = std::move(target.entries);
    target.entries.clear();
    for (const Entry &entry : merged.entries)
      target.set(entry.key, entry.value->clone(), entry.keyLocation);
    for (Entry &entry : own)
      target.set(entry.key, entry.value, entry.keyLocation);
  }
};

/// The first byte of the text that PyYAML would refuse, or npos: invalid UTF-8
/// and control characters.
size_t findBadByte(const std::string &text) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  for (size_t i = 0; i < text.size();) {
    unsigned char c = byte(i);
    if (c < 0x80) {
      if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f)
        return i;
      ++i;
      continue;
    }
    int more = (c >> 5) == 0x6    ? 1
               : (c >> 4) == 0xe  ? 2
               : (c >> 3) == 0x1e ? 3
                                  : 0;
    if (!more || i + more >= text.size())
      return i;
    uint32_t code = c & (0x3f >> more);
    for (int k = 1; k <= more; ++k) {
      if ((byte(i + k) & 0xc0) != 0x80)
        return i;
      code = (code << 6) | (byte(i + k) & 0x3f);
    }
    constexpr uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    bool bad = code < least[more] || code > 0x10ffff ||
               (code >= 0xd800 && code <= 0xdfff) || code < 0xa0 ||
               code == 0x2028 || code == 0x2029 || code == 0xfffe ||
               code == 0xffff || (code == 0xfeff && i != 0);
    if (bad)
      return i;
    i += more + 1;
  }
  return std::string::npos;
}

void checkText(const std::string &text, const std::string &name) {
  // A line with '%' is a directive of the parser, which would skip it.
  for (size_t i = 0; i < text.size(); i = text.find('\n', i) + 1) {
    if (text[i] == '%')
      throw UserError(
          name + ":" +
          std::to_string(1 + std::count(text.begin(), text.begin() + i, '\n')) +
          ":1: a line cannot begin with '%'");
    if (text.find('\n', i) == std::string::npos)
      break;
  }
  size_t bad = findBadByte(text);
  if (bad == std::string::npos)
    return;
  size_t line = 1;
  size_t begin = 0;
  for (size_t i = 0; i < bad; ++i)
    if (text[i] == '\n') {
      ++line;
      begin = i + 1;
    }
  unsigned char c = text[bad];
  char hex[8];
  std::snprintf(hex, sizeof hex, "0x%02x", c);
  throw UserError(
      name + ":" + std::to_string(line) + ":" +
      std::to_string(bad - begin + 1) + ": byte " + hex +
      (c < 0x80 ? " is a control character; a configuration is text"
                : " does not begin a character of printable UTF-8 text"));
}

} // namespace

std::string readTextFile(const std::string &path, size_t maxBytes) {
  std::error_code ec;
  auto status = std::filesystem::status(path, ec);
  if (path.empty() || !std::filesystem::exists(status))
    throw UserError("'" + path + "': no such file");
  if (std::filesystem::is_directory(status))
    throw UserError("'" + path + "' is a directory; a file is needed");
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    throw UserError("'" + path + "' cannot be read: " + std::strerror(errno));
  std::string text(maxBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad())
    throw UserError("'" + path + "' cannot be read: " + std::strerror(errno));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (text.size() > maxBytes)
    throw UserError("'" + path + "' is larger than " +
                    std::to_string(maxBytes >> 20) + " MiB");
  return text;
}

NodePtr readYamlText(const std::string &original, const std::string &name) {
  checkText(original, name);
  // The byte order mark of some editors is no content.
  bool marked = original.starts_with("\xef\xbb\xbf");
  const std::string text = marked ? original.substr(3) : original;
  std::istringstream stream(text);
  Builder builder(text, name);
  try {
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    NodePtr first = builder.root;
    builder.root = nullptr;
    // Whatever follows the first document would be dropped in silence.
    if (parser.HandleNextDocument(builder)) {
      bool empty = !builder.root || builder.root->isNull();
      throw UserError((empty ? name : builder.root->location.str()) +
                      ": something follows the first document of the file: a "
                      "second one, or a stray character");
    }
    builder.root = first;
  } catch (const YAML::Exception &error) {
    std::string where = name;
    if (!error.mark.is_null())
      where = builder.at(error.mark).str();
    throw UserError(where + ": not valid YAML: " + error.msg);
  }
  if (!builder.root || builder.root->isNull())
    return Node::makeMap({Location::Kind::File,
                          std::make_shared<const std::string>(name), 1, 1});
  if (!builder.root->isMap())
    throw UserError(builder.root->location.str() +
                    ": the top level must be a map of sections, not " +
                    (builder.root->isList() ? "a list" : "a single value"));
  return builder.root;
}

NodePtr readYamlFile(const std::string &path) {
  return readYamlText(readTextFile(path, kMaxFileBytes), path);
}

} // namespace nxdt::config
