#!/bin/sh
# Each deliberate break fits the sources as they are and names a campaign that exists. What no longer
# fits would only be seen by scripts/fault-breaks, which is run by hand.
# usage: break_patches.sh SOURCE-FOLDER
cd "$1" || exit 2
bad=0
count=0
for break in tests/fault/breaks/*.patch; do
    count=$((count + 1))
    if ! patch --dry-run --silent --fuzz=0 --strip=1 --forward <"$break"; then
        echo "$break does not fit any more: make it anew"
        bad=$((bad + 1))
    fi
    campaign=$(sed -n 's/^campaign: //p' "$break")
    if [ ! -f "tests/fault/campaign_$campaign.c" ]; then
        echo "$break: there is no campaign '$campaign'"
        bad=$((bad + 1))
    fi
done
echo "$count breaks, $bad complaints"
[ "$count" -ge 20 ] && [ "$bad" -eq 0 ]
