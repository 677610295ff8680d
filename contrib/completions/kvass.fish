# Completion of kvass for fish: what `kvass completion fish` prints. It is read at the first Tab from
# ~/.config/fish/completions/kvass.fish.
function _kvass_completion
    set -l token (commandline -ct | string collect)
    set -l option (string match -r -- '^--[^=]*=' "$token")
    set -l path (string replace -r -- '^--[^=]*=' '' "$token")
    set -l plain
    for found in (env COMP_LINE=(commandline -cp | string collect) _KVASS_COMPLETE=fish_complete kvass \
        2>/dev/null | string split0)
        switch $found
            case 'dir,*'
                printf '%s\n' "$option"(__fish_complete_directories "$path")
            case 'file,*'
                printf '%s\n' "$option"(complete -C"kvass-completes-a-file $path")
            case 'plain,*'
                set -a plain (string sub -s 7 -- $found | string collect)
        end
    end
    if set -q plain[1]
        printf '%s\0' $plain | string split0
    end
end
complete --keep-order --no-files --command kvass --arguments "(_kvass_completion)"
