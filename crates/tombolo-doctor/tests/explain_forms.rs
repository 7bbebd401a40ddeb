//! `explain` reads what programs print: errors of SQLite as each language spells them, and mounts
//! in each notation.

use tombolo_doctor::explain::{FileSystem, Sign, explain};

fn codes(report: &str) -> Vec<u16> {
    explain(report).sqlite.iter().map(|code| code.number()).collect()
}

#[test]
fn every_language_is_read() {
    let table: &[(&str, &[u16])] = &[
        // .NET
        ("Microsoft.Data.Sqlite.SqliteException: SQLite Error 10: 'disk I/O error'.", &[10]),
        ("code = IoErr (10), message = System.Data.SQLite.SQLiteException", &[10]),
        ("code = Busy (5), message = System.Data.SQLite.SQLiteException", &[5]),
        // Python
        ("sqlite3.OperationalError: locking protocol", &[15]),
        ("sqlite_errorcode=5386 sqlite_errorname='SQLITE_IOERR_SHMMAP'", &[5386]),
        ("apsw.IOError: IOError: disk I/O error", &[10]),
        ("apsw.CantOpenError: unable to open database file", &[14]),
        // Go: mattn appends the kernel's error, modernc the number
        ("disk I/O error: no such device", &[10]),
        ("unable to open database file: no such file or directory", &[14]),
        ("sqlite: step: disk I/O error (4618)", &[4618]),
        ("database disk image is malformed (11)", &[11]),
        // JavaScript
        ("SqliteError: disk I/O error { code: 'SQLITE_IOERR_SHMMAP' }", &[5386]),
        ("[Error: SQLITE_CANTOPEN: unable to open database file] { errno: 14 }", &[14]),
        ("ERR_SQLITE_ERROR errcode: 5386 errstr: 'disk I/O error'", &[5386]),
        ("SQLITE_IOERR_LOCK: sqlite3 result code 3850: disk I/O error", &[3850]),
        // Java and Android
        ("[SQLITE_IOERR_SHMMAP]  I/O error within the xShmMap method (disk I/O error)", &[5386]),
        ("[SQLITE_READONLY_DIRECTORY]  The directory is not writable", &[1544]),
        ("SQLiteDiskIOException: disk I/O error (code 3850 SQLITE_IOERR_LOCK)", &[3850]),
        ("SQLiteDatabaseLockedException: database is locked (code 5 SQLITE_BUSY)", &[5]),
        // PHP
        ("SQLSTATE[HY000]: General error: 10 disk I/O error", &[10]),
        ("SQLSTATE[HY000] [14] unable to open database file", &[14]),
        ("SQLite3::exec(): database is locked", &[5]),
        // Rust: rusqlite, sqlx, diesel
        ("SqliteFailure(Error { code: SystemIoFailure, extended_code: 5386 }, None)", &[5386]),
        ("Database(SqliteError { code: 14, message: \"unable to open database file\" })", &[14]),
        ("error returned from database: (code: 522) disk I/O error", &[522]),
        ("DatabaseError(Unknown, \"database is locked\")", &[5]),
        // Ruby
        ("SQLite3::BusyException: database is locked", &[5]),
        ("SQLite3::IOException: disk I/O error", &[10]),
        ("SQLite3::ProtocolException: locking protocol", &[15]),
        // Qt, Elixir, Swift, Perl, Dart
        ("QSqlError(\"10\", \"Unable to execute statement\", \"disk I/O error\")", &[10]),
        ("** (Exqlite.Error) database is locked", &[5]),
        ("SQLite error 10: disk I/O error - while executing `PRAGMA journal_mode=WAL`", &[10]),
        ("DBD::SQLite::db do failed: database is locked at x.pl line 3", &[5]),
        ("SqliteException(4618): disk I/O error, disk I/O error (code 4618)", &[4618]),
    ];
    let wrong: Vec<_> = table
        .iter()
        .filter(|(report, wanted)| codes(report) != *wanted)
        .map(|(report, wanted)| format!("{report}: want {wanted:?}, got {:?}", codes(report)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_number_of_another_program_is_no_code_of_sqlite() {
    for report in [
        "Termination Reason: Namespace SIGNAL, Code 10 Bus error: 10",
        "the container exited with code 14",
        "HTTP status 11, exit status 5",
    ] {
        assert_eq!(codes(report), [0_u16; 0], "{report}");
    }
}

#[test]
fn every_notation_of_a_mount_is_read() {
    use FileSystem as On;
    use Sign as Says;
    let table: &[(&str, Option<FileSystem>, &[Sign])] = &[
        (
            "driver_opts:\n  type: nfs\n  o: \"addr=10.0.0.1,nolock,soft,nfsvers=3\"",
            Some(On::Nfs),
            &[Says::NoLock, Says::NfsVersion3, Says::SoftMount],
        ),
        (
            "driver_opts:\n  type: cifs\n  device: \"//nas/s\"\n  o: \"vers=3.0,nobrl\"",
            Some(On::Smb),
            &[Says::NoByteRangeLocks],
        ),
        ("--mount type=volume,dst=/d,volume-opt=type=nfs", Some(On::Nfs), &[]),
        ("nfs:\n  server: filer\n  path: /x\nmountOptions:\n  - nolock", Some(On::Nfs), &[]),
        ("provisioner: file.csi.azure.com", Some(On::Smb), &[]),
        ("driver: s3.csi.aws.com", Some(On::ObjectStore), &[]),
        ("provisioner: ebs.csi.aws.com", Some(On::NetworkBlock), &[]),
        ("provisioner: rook-ceph.rbd.csi.ceph.com", Some(On::NetworkBlock), &[]),
        (
            "[Mount]\nWhat=nas:/x\nWhere=/mnt/x\nType=nfs4\nOptions=soft,_netdev",
            Some(On::Nfs),
            &[Says::NfsVersion4, Says::SoftMount],
        ),
        ("share -fstype=cifs,nobrl ://nas/s", Some(On::Smb), &[Says::NoByteRangeLocks]),
        ("1@tcp:/s /scratch lustre rw,noflock 0 0", Some(On::Lustre), &[Says::FlockOff]),
        ("1@tcp:/s on /s type lustre (rw,localflock)", Some(On::Lustre), &[Says::LocalLocks]),
        ("h on /mnt/h type 9p (rw,trans=virtio)", Some(On::NineP), &[Says::NoPageCache]),
        ("h /mnt/h 9p trans=virtio,cache=mmap 0 0", Some(On::NineP), &[Says::PageCache]),
        ("p on /pool type fuse.mergerfs (rw,direct_io)", Some(On::Mergerfs), &[Says::NoPageCache]),
        ("C:\\ on /mnt/c type 9p (rw,aname=drvfs;path=C:\\)", Some(On::WindowsDriveInWsl), &[]),
        ("/run/host_mark on /work type fakeowner (rw)", Some(On::DesktopShare), &[]),
        ("mountType: reverse-sshfs", Some(On::Sshfs), &[]),
        ("<driver type='virtiofs'/><source dir='/x'/>", Some(On::Virtiofs), &[]),
        ("qemu -virtfs local,path=/x,mount_tag=h", Some(On::NineP), &[]),
        ("the file is \\\\server\\share\\app.db", Some(On::Smb), &[]),
        ("- type: bind\n  source: ./a.db\n  target: /a/a.db", None, &[Says::SingleFileMount]),
        ("- mountPath: /a/a.db\n  subPath: a.db", None, &[Says::SingleFileMount]),
        ("--mount type=bind,src=/x/a.db,dst=/a/a.db", None, &[Says::SingleFileMount]),
        ("volumes: [./a.db:/a/a.db]", None, &[Says::SingleFileMount]),
        ("- mountPath: /a\n  readOnly: true", None, &[Says::ReadOnlyPlace]),
    ];
    for (report, place, signs) in table {
        let facts = explain(report).facts;
        assert_eq!(facts.filesystem, *place, "{report}");
        for sign in *signs {
            assert!(facts.signs.contains(sign), "{report}: no {sign:?} in {:?}", facts.signs);
        }
    }
}

#[test]
fn verbs_and_wishes_are_not_file_systems() {
    for report in [
        "two sessions share the same cache, database is locked",
        "high-performance computing: database is locked",
        "docker rm -f app; database is locked",
    ] {
        let facts = explain(report).facts;
        assert_eq!(facts.filesystem, None, "{report}");
        let wrong = [Sign::Slow, Sign::SidecarsGone];
        assert!(!facts.signs.iter().any(|sign| wrong.contains(sign)), "{report}");
    }
}
