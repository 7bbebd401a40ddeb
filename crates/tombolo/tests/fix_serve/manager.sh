#!/bin/sh
# Stands for `systemctl --user` and for `docker compose`: records what it is asked, and starts and
# ends what the unit or the Compose file says. $PLAYED is the program in the place of the image's.
PATH=/usr/bin:/bin
# Who asked may be killed before it hears the answer.
trap '' PIPE
state=$(dirname "$0")/state
unit="$XDG_CONFIG_HOME/systemd/user/tombolo.service"
[ "$1" != --user ] || shift
echo "$*" >>"$state/asked"

start() {
    [ ! -f "$state/started" ] || [ -f "$state/code" ] || return 0
    rm -f "$state/code"
    touch "$state/started"
    (
        setsid sh -c 'echo $$ >"$0/pid"; exec "$@"' "$state" "$@" 2>>"$state/journal"
        echo $? >"$state/code"
    ) </dev/null >/dev/null 2>&1 &
}

stop() {
    [ -f "$state/started" ] || return 0
    while [ ! -s "$state/pid" ] && [ ! -f "$state/code" ]; do sleep 0.05; done
    while [ ! -f "$state/code" ]; do
        kill -TERM "$(cat "$state/pid")" 2>/dev/null
        sleep 0.2
    done
}

show() {
    if [ -f "$state/started" ] && [ ! -f "$state/code" ]; then
        echo ActiveState=active
        echo Result=success
    else
        # The signal that ends a service is a clean end: systemd.service(5), SuccessExitStatus=.
        case "$(cat "$state/code" 2>/dev/null || echo 0)" in
        0 | 143) printf 'ActiveState=inactive\nResult=success\n' ;;
        *) printf 'ActiveState=failed\nResult=exit-code\n' ;;
        esac
    fi
}

answer() {
    case "$*" in
    "show --property=LoadState tombolo.service")
        if [ -f "$state/loaded" ]; then echo LoadState=loaded; else echo LoadState=not-found; fi
        ;;
    "show --property=ActiveState,Result tombolo.service") show ;;
    daemon-reload) if [ -f "$unit" ]; then touch "$state/loaded"; else rm -f "$state/loaded"; fi ;;
    "enable tombolo.service") [ -f "$state/loaded" ] && touch "$state/enabled" ;;
    "start tombolo.service")
        # shellcheck disable=SC2046 # Its words are plain.
        [ -f "$state/loaded" ] && start $(sed -n 's/^ExecStart=//p' "$unit")
        ;;
    "disable --now tombolo.service")
        [ -f "$unit" ] || return 1
        rm -f "$state/enabled"
        stop
        ;;
    "compose version") ;;
    "compose -f "*" up --detach tombolo")
        words=$(sed -n 's/^ *command: \[\(.*\)\]$/\1/p' "$3" | tr -d '",')
        # shellcheck disable=SC2086 # Its words are plain.
        set -- $words
        shift
        start "$PLAYED" "$@"
        ;;
    "compose -f "*" stop tombolo") stop ;;
    "compose -f "*" rm --force tombolo") ;;
    *)
        echo "$* is not understood" >&2
        return 1
        ;;
    esac
}

answer "$@"
code=$?
echo "$*" >>"$state/answered"
exit $code
