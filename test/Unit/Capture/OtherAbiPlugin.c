/* A plug-in as another version of nxdt would have built it. */
struct Plugin {
  const char *abiTag;
  void *create;
};
const struct Plugin nxdt_model_plugin = {
    "nxdt model ABI 0, torch 1.0.0, something", 0};
