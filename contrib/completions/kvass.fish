# Completion of kvass for fish. Copy to ~/.config/fish/completions/kvass.fish: it is read at the first Tab.
_KVASS_COMPLETE=fish_source kvass | source
