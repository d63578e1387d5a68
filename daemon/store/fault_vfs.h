/* What a build with fault points puts between SQLite and the machine: see fault_vfs.c. */
#ifndef ALTERD_STORE_FAULT_VFS_H
#define ALTERD_STORE_FAULT_VFS_H

#ifdef ALTERD_FAULTS
/* Once, before SQLite is used for the first time; later calls do nothing. */
void fault_vfs_install(void);
#else
static inline void fault_vfs_install(void) {}
#endif

#endif
