/*
 * Kinds of events that a log can be searched for, once: X(ID, "MESSAGE_ID of the journal", "when").
 *
 * The ids are random and never change: `journalctl MESSAGE_ID=..` finds all of one kind, whatever its text says.
 */
#ifndef ALTERD_LIB_LOG_EVENTS_H
#define ALTERD_LIB_LOG_EVENTS_H

#define LOG_EVENT_MAP(X)                                                                                               \
	X(STARTED, "f768064f958547ada39eed24c2c063fe", "the daemon serves")                                            \
	X(STOPPING, "5966eb44e0c6474495113dc30e9a8df5", "it was told to end")                                          \
	X(STOPPED, "b9c48cb01720400e8ca82984fcb042d9", "it has ended")                                                 \
	X(FAILED, "a83c546dbc4d43dc96c93f01a9f18630", "it ends because of an error")                                   \
	X(RELOADED, "ace970fccddb4416a3966023df2d5c05", "settings were read again")                                    \
	X(RELOAD_FAILED, "00633256e25f471d8fe2c4e12b5eadad", "settings could not be read again: they stay")            \
	X(SESSION_KILLED, "e66c0e9819424e8ab4c6049fa9998118", "an administrator ended a session")                      \
	X(SLOW_READER, "3c19c840d9f94acda62d2465be71c2d9", "a client took nothing of its answers")                     \
	X(SLOW_STATEMENT, "e7f137f5a11b4c7db5a6b47b57a73cab", "a statement took longer than log.slow")                 \
	X(JOB_PHASE, "12f034c143d24a11a0a8a1e2fdbc4be2", "a migration job enters a phase")                             \
	X(JOB_ENDED, "32833106536e45df80b2d002cc92d33d", "a migration job has ended")                                  \
	X(JOB_RETRY, "83de0b93946a499896567964cfbaa4dd", "a step of a job failed for now, and is tried again")         \
	X(JOB_RESTARTED, "068c193bf65c49029f777337923fe54e", "the copy of a job starts over")                          \
	X(SWAPPED, "c85ad6ff654644beb379782e12806dcc", "a job has exchanged the tables")                               \
	X(BACKUP_MADE, "10cc80422fb74eacb3ba20d253c80a75", "a backup is made")                                         \
	X(BACKUP_FAILED, "333931383701403fb7453614dba55617", "a backup could not be made or removed")                  \
	X(CHECKPOINT_FAILED, "4223d05b17b94c288a927d725879f224", "the log could not be copied back")                   \
	X(READER_EXPIRED, "c67e2041df704032b3ddcd46e156ceb2", "the log is above its hard cap")

enum log_event {
	LOG_EVENT_NONE,
#define X(id, message_id, doc) LOG_EVENT_##id,
	LOG_EVENT_MAP(X)
#undef X
		LOG_EVENT_COUNT
};

#endif
