
# Aliases and regions are known to the service alone; without one, nothing is completed.
complete -c jomae -l key -x -a '(jomae alias list --field AliasName 2>/dev/null | string replace alias/ "")'
complete -c jomae -l region -x -a '(jomae call DescribeRegions --field RegionId 2>/dev/null)'
complete -c jomae -n '__fish_seen_subcommand_from describe rotate versions usage enable disable schedule-deletion protect unprotect' \
    -x -a '(jomae alias list --field AliasName 2>/dev/null | string replace alias/ "")'
