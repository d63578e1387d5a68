/* The writer's file system: frames of a commit go to the log in few, large writes. See wal_vfs.c. */
#ifndef ALTERD_STORE_WAL_VFS_H
#define ALTERD_STORE_WAL_VFS_H

/* The name to open the writer's connection with; NULL (SQLite's own) where it cannot be had. Any thread. */
const char *wal_vfs_name(void);

#endif
