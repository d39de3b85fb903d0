
# Aliases and regions are known to the service alone; without one, nothing is completed.
_jomae_names() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} names
    case $before:${COMP_WORDS[1]}:$COMP_CWORD in
        --region:*) names=$(jomae call DescribeRegions --field RegionId 2>/dev/null) ;;
        --key:* | import:key:3 | rotate:key:3 | versions:key:3 | usage:key:3 | describe:key:3 | set-description:key:3 | \
            enable:key:3 | disable:key:3 | schedule-deletion:key:3 | cancel-deletion:key:3 | protect:key:3 | \
            unprotect:key:3 | update:alias:3 | delete:alias:3 | list:alias:3)
            names=$(jomae alias list --field AliasName 2>/dev/null) ;;
        *)
            _jomae "$@"
            return ;;
    esac
    [[ $word == alias/* ]] || names=${names//alias\//}
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word")
}
complete -F _jomae_names -o bashdefault -o default jomae
