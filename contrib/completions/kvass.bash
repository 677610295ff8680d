# shellcheck shell=bash
# Completion of kvass for bash. Copy to ~/.local/share/bash-completion/completions/kvass: it is read at the first Tab.
# Without the package bash-completion, source it from ~/.bashrc.
eval "$(_KVASS_COMPLETE=bash_source kvass)"
