/*
 * stream_subjects.h - which subjects a stream may capture: the one rule, for the API and for `nonet
 * check`.
 *
 *     $JS.API.>, _NONET.>                     never
 *     >, what overlaps $JS.> $JSC.> $NRG.>    only where nothing is acknowledged (no_ack), but
 *     $SYS.>                                  $JS.EVENT.> and $SYS.ACCOUNT.> always
 *
 * As in nats-server 2.10 (server/stream.go, checkStreamCfg): an acknowledged capture of the
 * server's own conversations would answer itself for ever.
 */
#ifndef NONET_BUS_STREAM_SUBJECTS_H
#define NONET_BUS_STREAM_SUBJECTS_H

#include "base/slice.h"

#define STREAM_SUBJECT_MAX 4096u /* bytes */

/* Does the node take orders at SUBJECT: _NONET.>, $JS.API.>, $JS.ACK.>? What is sent there for a
   client, an answer or a message that is stored, would be obeyed whatever rights the client has. */
bool stream_subject_takes_orders(slice subject);

/* Why no stream may capture SUBJECT, or (without NO_ACK) none that acknowledges; NULL: it may. */
const char *stream_subject_refused(slice subject, bool no_ack);

#endif
