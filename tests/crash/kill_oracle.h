/*
 * kill_oracle.h - what the outside knows of a node that is killed again and again.
 *
 * Every message has an identity: stream, publisher, number. The oracle notes for each number
 * whether it was sent, and at which sequence it was acknowledged. It is a process of its own, so no
 * kill touches it. What it then demands of the node:
 *
 *     acknowledged at sequence s  =>  message s is there, with that identity and content, for ever
 *     any two sequences           =>  different identities (nothing is stored twice)
 *     one publisher's numbers     =>  in order, but for those that were sent again after a kill
 *     a message whose acknowledgement by the consumer was confirmed  =>  not delivered again
 */
#ifndef NONET_TESTS_CRASH_KILL_ORACLE_H
#define NONET_TESTS_CRASH_KILL_ORACLE_H

#include "base/buf.h"
#include "base/slice.h"

#define KILL_STREAMS 2u
#define KILL_PUBLISHERS 2u
#define KILL_NUMBERS_MAX (8u << 20) /* of one publisher and stream */
#define KILL_PAYLOAD_SIZE 120u      /* a multiple of 3: base64 without padding */

struct kill_track {
    uint32_t *sequence_of; /* by number: where it was acknowledged, 0 = not known */
    bool *again;           /* by number: sent more than once */
    uint32_t next;         /* the next number to send */
    uint32_t unsure;       /* numbers from here on may be without answer */
};

struct kill_oracle {
    struct kill_track tracks[KILL_STREAMS][KILL_PUBLISHERS];
    uint32_t *confirmed; /* bit by sequence of stream 0: its consumer's ack was confirmed */
    uint64_t acked, checked, confirmations, deliveries;
    uint64_t lost, twice, wrong, unordered, redelivered;
};

void kill_oracle_open(struct kill_oracle *oracle);
void kill_oracle_close(struct kill_oracle *oracle);
uint64_t kill_oracle_failures(const struct kill_oracle *oracle);

/* "k<stream>.<publisher>.<number>" */
slice kill_subject(unsigned stream, unsigned publisher, uint32_t number, char out[64]);
/* The content that belongs to an identity. */
void kill_payload(unsigned stream, unsigned publisher, uint32_t number,
                  char out[KILL_PAYLOAD_SIZE]);
/* The other way round; false where SUBJECT is none of ours. */
bool kill_identity(slice subject, unsigned *ret_stream, unsigned *ret_publisher,
                   uint32_t *ret_number);

void kill_oracle_acked(struct kill_oracle *oracle, unsigned stream, unsigned publisher,
                       uint32_t number, uint64_t sequence);
/* A confirmed double acknowledgement, and a delivery, of stream 0's consumer. */
void kill_oracle_confirmed(struct kill_oracle *oracle, uint64_t sequence);
void kill_oracle_delivered(struct kill_oracle *oracle, uint64_t sequence);
/* The answer to STREAM.MSG.GET of SEQUENCE; EXPECTED tells what the oracle holds it to be. */
void kill_oracle_check(struct kill_oracle *oracle, unsigned stream, uint64_t sequence,
                       slice answer);

#endif
