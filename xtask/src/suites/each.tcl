# Runs a file of SQLite's TCL tests command by command: `testfixture each.tcl FILE`. What ends in an
# error outside a test would else end the file, and with it all tests behind; here it is reported as
# a test that failed, by the number of its line.

proc run_each {path} {
  set channel [open $path]
  set text [read $channel]
  close $channel
  info script $path
  set command {}
  set number 0
  foreach line [split $text \n] {
    incr number
    if {$command eq ""} { set first $number }
    append command $line \n
    if {![info complete $command]} continue
    set code [catch { uplevel #0 $command } message]
    set command {}
    # `return` ends a file.
    if {$code == 2} return
    if {$code == 1} { puts "(line:$first)...\nError: $message" }
  }
}

# The command of this name writes past the end of a database by the default VFS, without a lock.
proc fake_big_file {megabytes path} {
  set channel [open $path {RDWR CREAT}]
  seek $channel [expr {$megabytes * 1024 * 1024}]
  puts -nonewline $channel "Hello, world!\0"
  close $channel
}

set argv0 [lindex $argv 0]
set argv [lrange $argv 1 end]
run_each $argv0
