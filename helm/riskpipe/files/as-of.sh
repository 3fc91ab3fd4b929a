# as-of.sh DAY ARGUMENTS...: run riskpipe with --as-of, and with {as_of} in the arguments replaced by the date.
#
# DAY is today, yesterday, previous-weekday or YYYY-MM-DD. It counts from the time that the CronJob was due, which is the
# end of its Job's name (minutes since 1970, seconds before Kubernetes 1.21): a pod that is started again after midnight
# values the same day. A Job of another name counts from now.
set -eu

since=${JOB_NAME:-}
since=${since##*-}
case $since in
    *[!0-9]*) since=$(date +%s) ;;
    ????????) since=$((since * 60)) ;;
    ??????????) ;;
    *) since=$(date +%s) ;;
esac
due=$(date -d "@$since" +%F)

case $1 in
    today) day=$due ;;
    yesterday) day=$(date -d "$due 1 day ago" +%F) ;;
    previous-weekday)
        case $(date -d "$due" +%u) in
            1) day=$(date -d "$due 3 days ago" +%F) ;;
            7) day=$(date -d "$due 2 days ago" +%F) ;;
            *) day=$(date -d "$due 1 day ago" +%F) ;;
        esac ;;
    *) day=$(date -d "$1" +%F) ;;
esac
shift

for argument; do
    set -- "$@" "$(printf '%s' "$argument" | sed "s/{as_of}/$day/g")"
    shift
done
exec riskpipe "$@" --as-of "$day"
