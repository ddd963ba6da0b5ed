/*
 * libnats_check.c - what the official C client (Debian's libnats, 3.4.1) does with durable streams.
 *
 *     libnats_check --list            names of the cases, one a line
 *     libnats_check URL CASE          runs one; exit 0, or 1 with what was not as expected
 *
 * The same expectations hold for Nonet and for nats-server: tests/e2e/libnats.test.mjs runs each
 * case on both. A case has streams of its own, so that all of them may run on one server.
 */
#include <nats/nats.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS 5000
#define SECOND_NS INT64_C(1000000000)

/* --- expectations -------------------------------------------------------------------------- */

#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #what);                             \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)
#define MUST(call) must(call, __LINE__, #call)

static void must(natsStatus status, int line, const char *call) {
    if (status == NATS_OK)
        return;
    fprintf(stderr, "line %d: %s: %s, %s\n", line, call, natsStatus_GetText(status),
            nats_GetLastError(NULL));
    exit(1);
}

/* --- small makers --------------------------------------------------------------------------- */

static void add_stream(jsCtx *js, const char *name, const char *subject) {
    jsStreamConfig config;
    MUST(jsStreamConfig_Init(&config));
    config.Name = name;
    config.Subjects = &subject;
    config.SubjectsLen = 1;
    config.AllowDirect = true;
    MUST(js_AddStream(NULL, js, &config, NULL, NULL));
}

static uint64_t publish(jsCtx *js, const char *subject, const char *text) {
    jsPubAck *ack = NULL;
    MUST(js_Publish(&ack, js, subject, text, (int)strlen(text), NULL, NULL));
    uint64_t sequence = ack->Sequence;
    EXPECT(!ack->Duplicate);
    jsPubAck_Destroy(ack);
    return sequence;
}

static void publish_many(jsCtx *js, const char *subject, int count) {
    char text[16];
    for (int i = 1; i <= count; i++) {
        snprintf(text, sizeof text, "%d", i);
        MUST(js_PublishAsync(js, subject, text, (int)strlen(text), NULL));
    }
    MUST(js_PublishAsyncComplete(js, NULL));
}

static bool says(natsMsg *msg, const char *text) {
    return natsMsg_GetDataLength(msg) == (int)strlen(text) &&
           memcmp(natsMsg_GetData(msg), text, strlen(text)) == 0;
}

static jsStreamInfo *info_of(jsCtx *js, const char *stream) {
    jsStreamInfo *info = NULL;
    MUST(js_GetStreamInfo(&info, js, stream, NULL, NULL));
    return info;
}

static uint64_t messages_of(jsCtx *js, const char *stream) {
    jsStreamInfo *info = info_of(js, stream);
    uint64_t messages = info->State.Msgs;
    jsStreamInfo_Destroy(info);
    return messages;
}

/* --- streams -------------------------------------------------------------------------------- */

static void streams(jsCtx *js) {
    jsStreamConfig config;
    jsStreamInfo *info = NULL;
    jsErrCode code = 0;
    const char *subjects[] = {"ls.a.*", "ls.b"};
    MUST(jsStreamConfig_Init(&config));
    config.Name = "LS";
    config.Subjects = subjects;
    config.SubjectsLen = 2;
    config.MaxMsgsPerSubject = 100;
    config.Description = "of libnats";
    MUST(js_AddStream(&info, js, &config, NULL, NULL));
    EXPECT(info->Config->Storage == js_FileStorage && info->Config->Retention == js_LimitsPolicy);
    EXPECT(info->Config->MaxMsgsPerSubject == 100 && info->Created > 0);
    EXPECT(strcmp(info->Config->Description, "of libnats") == 0);
    jsStreamInfo_Destroy(info);

    config.MaxMsgsPerSubject = 5;
    EXPECT(js_AddStream(NULL, js, &config, NULL, &code) == NATS_ERR);
    EXPECT(code == JSStreamNameExistErr);
    MUST(js_UpdateStream(&info, js, &config, NULL, NULL));
    EXPECT(info->Config->MaxMsgsPerSubject == 5);
    jsStreamInfo_Destroy(info);

    jsStreamNamesList *names = NULL;
    jsOptions filter;
    MUST(jsOptions_Init(&filter));
    filter.Stream.Info.SubjectsFilter = "ls.b";
    MUST(js_StreamNames(&names, js, &filter, NULL));
    EXPECT(names->Count == 1 && strcmp(names->List[0], "LS") == 0);
    jsStreamNamesList_Destroy(names);
    jsStreamInfoList *list = NULL;
    MUST(js_Streams(&list, js, &filter, NULL));
    EXPECT(list->Count == 1 && strcmp(list->List[0]->Config->Name, "LS") == 0);
    jsStreamInfoList_Destroy(list);

    MUST(js_DeleteStream(js, "LS", NULL, NULL));
    EXPECT(js_GetStreamInfo(&info, js, "LS", NULL, &code) == NATS_NOT_FOUND);
    EXPECT(code == JSStreamNotFoundErr);
}

static void purge(jsCtx *js) {
    jsOptions options;
    add_stream(js, "LPURGE", "lpurge.*");
    publish_many(js, "lpurge.a", 10);
    publish_many(js, "lpurge.b", 10);

    MUST(jsOptions_Init(&options));
    options.Stream.Purge.Subject = "lpurge.a";
    options.Stream.Purge.Keep = 3;
    MUST(js_PurgeStream(js, "LPURGE", &options, NULL));
    EXPECT(messages_of(js, "LPURGE") == 13);

    MUST(jsOptions_Init(&options));
    options.Stream.Purge.Sequence = 16;
    MUST(js_PurgeStream(js, "LPURGE", &options, NULL));
    jsStreamInfo *info = info_of(js, "LPURGE");
    EXPECT(info->State.Msgs == 5 && info->State.FirstSeq == 16 && info->State.LastSeq == 20);
    jsStreamInfo_Destroy(info);

    MUST(js_PurgeStream(js, "LPURGE", NULL, NULL));
    info = info_of(js, "LPURGE");
    EXPECT(info->State.Msgs == 0 && info->State.FirstSeq == 21);
    jsStreamInfo_Destroy(info);
}

static void messages(jsCtx *js) {
    natsMsg *msg = NULL;
    jsErrCode code = 0;
    jsDirectGetMsgOptions direct;
    add_stream(js, "LMSG", "lmsg.*");
    EXPECT(publish(js, "lmsg.a", "one") == 1 && publish(js, "lmsg.b", "two") == 2);
    EXPECT(publish(js, "lmsg.a", "three") == 3 && publish(js, "lmsg.b", "four") == 4);

    MUST(js_GetMsg(&msg, js, "LMSG", 2, NULL, NULL));
    EXPECT(says(msg, "two") && natsMsg_GetSequence(msg) == 2 && natsMsg_GetTime(msg) > 0);
    natsMsg_Destroy(msg);
    MUST(js_GetLastMsg(&msg, js, "LMSG", "lmsg.a", NULL, NULL));
    EXPECT(says(msg, "three") && strcmp(natsMsg_GetSubject(msg), "lmsg.a") == 0);
    natsMsg_Destroy(msg);

    MUST(jsDirectGetMsgOptions_Init(&direct));
    direct.LastBySubject = "lmsg.b";
    MUST(js_DirectGetMsg(&msg, js, "LMSG", NULL, &direct));
    EXPECT(says(msg, "four") && natsMsg_GetSequence(msg) == 4);
    natsMsg_Destroy(msg);
    MUST(jsDirectGetMsgOptions_Init(&direct));
    direct.Sequence = 2;
    direct.NextBySubject = "lmsg.a";
    MUST(js_DirectGetMsg(&msg, js, "LMSG", NULL, &direct));
    EXPECT(says(msg, "three"));
    natsMsg_Destroy(msg);

    MUST(js_DeleteMsg(js, "LMSG", 1, NULL, NULL));
    MUST(js_EraseMsg(js, "LMSG", 3, NULL, NULL));
    EXPECT(js_GetMsg(&msg, js, "LMSG", 3, NULL, &code) == NATS_NOT_FOUND);
    EXPECT(code == JSNoMessageFoundErr);
    EXPECT(js_DeleteMsg(js, "LMSG", 3, NULL, &code) == NATS_ERR);

    jsOptions options;
    jsStreamInfo *info = NULL;
    MUST(jsOptions_Init(&options));
    options.Stream.Info.DeletedDetails = true;
    options.Stream.Info.SubjectsFilter = ">";
    MUST(js_GetStreamInfo(&info, js, "LMSG", &options, NULL));
    EXPECT(info->State.Msgs == 2 && info->State.FirstSeq == 2 && info->State.LastSeq == 4);
    EXPECT(info->State.DeletedLen == 1 && info->State.Deleted[0] == 3);
    EXPECT(info->State.Subjects->Count == 1 && info->State.Subjects->List[0].Msgs == 2);
    jsStreamInfo_Destroy(info);
}

/* --- publishing ----------------------------------------------------------------------------- */

static jsErrCode refused(jsCtx *js, const char *subject, jsPubOptions *options) {
    jsErrCode code = 0;
    EXPECT(js_Publish(NULL, js, subject, "x", 1, options, &code) != NATS_OK);
    return code;
}

static void publishing(jsCtx *js) {
    jsPubAck *ack = NULL;
    jsPubOptions options;
    add_stream(js, "LPUB", "lpub.*");
    MUST(jsPubOptions_Init(&options));
    options.MsgId = "first";
    options.ExpectStream = "LPUB";
    MUST(js_Publish(&ack, js, "lpub.a", "x", 1, &options, NULL));
    EXPECT(ack->Sequence == 1 && !ack->Duplicate && strcmp(ack->Stream, "LPUB") == 0);
    jsPubAck_Destroy(ack);
    MUST(js_Publish(&ack, js, "lpub.a", "x", 1, &options, NULL));
    EXPECT(ack->Sequence == 1 && ack->Duplicate);
    jsPubAck_Destroy(ack);

    MUST(jsPubOptions_Init(&options));
    options.ExpectLastMsgId = "first";
    options.ExpectLastSeq = 1;
    options.ExpectLastSubjectSeq = 1;
    MUST(js_Publish(&ack, js, "lpub.a", "y", 1, &options, NULL));
    EXPECT(ack->Sequence == 2);
    jsPubAck_Destroy(ack);

    MUST(jsPubOptions_Init(&options));
    options.ExpectStream = "OTHER";
    EXPECT(refused(js, "lpub.a", &options) == JSStreamNotMatchErr);
    MUST(jsPubOptions_Init(&options));
    options.ExpectLastMsgId = "first";
    EXPECT(refused(js, "lpub.a", &options) == JSStreamWrongLastMsgIDErr);
    MUST(jsPubOptions_Init(&options));
    options.ExpectLastSeq = 1;
    EXPECT(refused(js, "lpub.a", &options) == JSStreamWrongLastSequenceErr);
    MUST(jsPubOptions_Init(&options));
    options.ExpectLastSubjectSeq = 1;
    EXPECT(refused(js, "lpub.a", &options) == JSStreamWrongLastSequenceErr);
    MUST(jsPubOptions_Init(&options));
    options.ExpectNoMessage = true;
    EXPECT(refused(js, "lpub.a", &options) == JSStreamWrongLastSequenceErr);
    MUST(js_Publish(NULL, js, "lpub.b", "z", 1, &options, NULL));
    EXPECT(messages_of(js, "LPUB") == 3);
    EXPECT(js_Publish(NULL, js, "lnobody", "x", 1, NULL, NULL) == NATS_NO_RESPONDERS);
}

struct answers {
    pthread_mutex_t mutex;
    uint64_t last;
    int stored, refused;
    bool in_order;
};

static void on_answer(jsCtx *js, natsMsg *msg, jsPubAck *ack, jsPubAckErr *error, void *closure) {
    struct answers *answers = closure;
    (void)js;
    pthread_mutex_lock(&answers->mutex);
    if (ack) {
        answers->in_order &= ack->Sequence == answers->last + 1;
        answers->last = ack->Sequence;
        answers->stored++;
    } else {
        answers->refused += error->ErrCode == JSStreamWrongLastSequenceErr;
    }
    pthread_mutex_unlock(&answers->mutex);
    natsMsg_Destroy(msg);
}

/* Twenty thousand in flight together: a dense sequence, and who expects wrongly alone is refused.
 */
static void publishing_async(natsConnection *connection) {
    struct answers answers = {.mutex = PTHREAD_MUTEX_INITIALIZER, .in_order = true};
    jsCtx *js = NULL;
    jsOptions options;
    jsPubOptions expecting;
    MUST(jsOptions_Init(&options));
    options.PublishAsync.AckHandler = on_answer;
    options.PublishAsync.AckHandlerClosure = &answers;
    MUST(natsConnection_JetStream(&js, connection, &options));
    add_stream(js, "LASYNC", "lasync");
    publish_many(js, "lasync", 10000);
    MUST(jsPubOptions_Init(&expecting));
    expecting.ExpectLastSeq = 17;
    MUST(js_PublishAsync(js, "lasync", "x", 1, &expecting));
    publish_many(js, "lasync", 10000);
    EXPECT(answers.stored == 20000 && answers.refused == 1 && answers.in_order);
    EXPECT(messages_of(js, "LASYNC") == 20000);
    jsCtx_Destroy(js);
}

/* --- consumers ------------------------------------------------------------------------------ */

static void consumers(jsCtx *js) {
    jsConsumerConfig config;
    jsConsumerInfo *info = NULL;
    jsConsumerNamesList *names = NULL;
    jsErrCode code = 0;
    add_stream(js, "LCON", "lcon.*");
    publish_many(js, "lcon.a", 4);
    publish_many(js, "lcon.b", 3);

    MUST(jsConsumerConfig_Init(&config));
    config.Durable = "d";
    config.FilterSubject = "lcon.b";
    config.AckWait = 2 * SECOND_NS;
    config.MaxDeliver = 7;
    MUST(js_AddConsumer(&info, js, "LCON", &config, NULL, NULL));
    EXPECT(info->NumPending == 3 && info->Config->MaxDeliver == 7);
    EXPECT(info->Config->AckPolicy == js_AckExplicit);
    jsConsumerInfo_Destroy(info);

    config.MaxAckPending = 9;
    MUST(js_UpdateConsumer(&info, js, "LCON", &config, NULL, NULL));
    EXPECT(info->Config->MaxAckPending == 9);
    jsConsumerInfo_Destroy(info);
    MUST(js_ConsumerNames(&names, js, "LCON", NULL, NULL));
    EXPECT(names->Count == 1 && strcmp(names->List[0], "d") == 0);
    jsConsumerNamesList_Destroy(names);

    MUST(jsConsumerConfig_Init(&config));
    config.DeliverPolicy = js_DeliverByStartSequence;
    config.OptStartSeq = 6;
    MUST(js_AddConsumer(&info, js, "LCON", &config, NULL, NULL));
    EXPECT(info->NumPending == 2 && !info->Config->Durable);
    jsConsumerInfo_Destroy(info);
    config.DeliverPolicy = js_DeliverLastPerSubject;
    config.OptStartSeq = 0;
    config.FilterSubject = "lcon.*";
    MUST(js_AddConsumer(&info, js, "LCON", &config, NULL, NULL));
    EXPECT(info->NumPending == 2);
    jsConsumerInfo_Destroy(info);

    MUST(js_DeleteConsumer(js, "LCON", "d", NULL, NULL));
    EXPECT(js_GetConsumerInfo(&info, js, "LCON", "d", NULL, &code) == NATS_NOT_FOUND);
    EXPECT(code == JSConsumerNotFoundErr);
}

/* Takes one message of a pull subscription, checks its text and how often it has come. */
static natsMsg *take(natsSubscription *sub, const char *text, uint64_t delivered) {
    natsMsgList list;
    jsMsgMetaData *meta = NULL;
    MUST(natsSubscription_Fetch(&list, sub, 1, WAIT_MS, NULL));
    natsMsg *msg = list.Msgs[0];
    list.Msgs[0] = NULL;
    natsMsgList_Destroy(&list);
    EXPECT(says(msg, text));
    MUST(natsMsg_GetMetaData(&meta, msg));
    EXPECT(meta->NumDelivered == delivered);
    jsMsgMetaData_Destroy(meta);
    return msg;
}

/* One message at a time: what a server does first, redeliver or go on, is its own affair. */
static void acks(jsCtx *js) {
    natsSubscription *sub = NULL;
    add_stream(js, "LACK", "lack");
    MUST(js_PullSubscribe(&sub, js, "lack", "puller", NULL, NULL, NULL));

    publish(js, "lack", "1");
    natsMsg *msg = take(sub, "1", 1);
    MUST(natsMsg_Nak(msg, NULL));
    natsMsg_Destroy(msg);
    msg = take(sub, "1", 2);
    MUST(natsMsg_NakWithDelay(msg, 200, NULL));
    natsMsg_Destroy(msg);
    msg = take(sub, "1", 3); /* waits for the delay */
    MUST(natsMsg_InProgress(msg, NULL));
    MUST(natsMsg_AckSync(msg, NULL, NULL));
    natsMsg_Destroy(msg);

    publish(js, "lack", "2");
    msg = take(sub, "2", 1);
    MUST(natsMsg_Term(msg, NULL));
    natsMsg_Destroy(msg);
    publish(js, "lack", "3");
    msg = take(sub, "3", 1);
    MUST(natsMsg_AckSync(msg, NULL, NULL));
    natsMsg_Destroy(msg);

    natsMsgList list;
    EXPECT(natsSubscription_Fetch(&list, sub, 1, 300, NULL) == NATS_TIMEOUT);
    jsConsumerInfo *info = NULL;
    MUST(natsSubscription_GetConsumerInfo(&info, sub, NULL, NULL));
    EXPECT(info->NumAckPending == 0 && info->AckFloor.Stream == 3 && info->NumPending == 0);
    jsConsumerInfo_Destroy(info);
    natsSubscription_Destroy(sub);
}

static void pulling(jsCtx *js) {
    natsSubscription *sub = NULL;
    natsMsgList list;
    jsFetchRequest request;
    int seen = 0;
    add_stream(js, "LPULL", "lpull");
    publish_many(js, "lpull", 1000);
    MUST(js_PullSubscribe(&sub, js, "lpull", "puller", NULL, NULL, NULL));
    while (seen < 990) {
        MUST(natsSubscription_Fetch(&list, sub, 110, WAIT_MS, NULL));
        for (int i = 0; i < list.Count; i++) {
            char text[16];
            snprintf(text, sizeof text, "%d", ++seen);
            EXPECT(says(list.Msgs[i], text));
            MUST(natsMsg_Ack(list.Msgs[i], NULL));
        }
        natsMsgList_Destroy(&list);
    }
    MUST(jsFetchRequest_Init(&request));
    request.Batch = 100;
    request.NoWait = true;
    request.Expires = SECOND_NS / 2;
    MUST(natsSubscription_FetchRequest(&list, sub, &request));
    EXPECT(list.Count == 10);
    natsMsgList_Destroy(&list);
    EXPECT(natsSubscription_FetchRequest(&list, sub, &request) != NATS_OK); /* in flight, all */

    MUST(jsFetchRequest_Init(&request));
    request.Batch = 10;
    request.Expires = SECOND_NS;
    request.Heartbeat = SECOND_NS / 10;
    EXPECT(natsSubscription_FetchRequest(&list, sub, &request) == NATS_TIMEOUT);
    natsSubscription_Destroy(sub);
}

/* What a push subscription's callback has seen. */
struct seen {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int count, wanted;
    bool in_order;
};

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *closure) {
    struct seen *seen = closure;
    (void)nc;
    (void)sub;
    pthread_mutex_lock(&seen->mutex);
    char text[16];
    snprintf(text, sizeof text, "%d", ++seen->count);
    seen->in_order &= says(msg, text);
    if (seen->count >= seen->wanted)
        pthread_cond_signal(&seen->changed);
    pthread_mutex_unlock(&seen->mutex);
    natsMsg_Destroy(msg);
}

static void wait_for(struct seen *seen) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    pthread_mutex_lock(&seen->mutex);
    while (seen->count < seen->wanted)
        EXPECT(pthread_cond_timedwait(&seen->changed, &seen->mutex, &until) == 0);
    pthread_mutex_unlock(&seen->mutex);
}

static void pushing(jsCtx *js) {
    struct seen seen = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 5000, true};
    natsSubscription *sub = NULL;
    jsSubOptions options;
    add_stream(js, "LPUSH", "lpush");
    publish_many(js, "lpush", 5000);
    MUST(jsSubOptions_Init(&options));
    options.Config.Durable = "pushed";
    options.Config.FlowControl = true;
    options.Config.Heartbeat = SECOND_NS / 2;
    MUST(js_Subscribe(&sub, js, "lpush", on_message, &seen, NULL, &options, NULL));
    wait_for(&seen);
    EXPECT(seen.in_order && seen.count == 5000);
    jsConsumerInfo *info = NULL;
    MUST(natsSubscription_GetConsumerInfo(&info, sub, NULL, NULL));
    EXPECT(info->PushBound && info->Config->FlowControl && info->NumPending == 0);
    jsConsumerInfo_Destroy(info);
    MUST(natsSubscription_Unsubscribe(sub));
    natsSubscription_Destroy(sub);
}

static void queueing(jsCtx *js) {
    natsSubscription *subs[2] = {NULL, NULL};
    jsSubOptions options;
    int taken[2] = {0, 0};
    add_stream(js, "LQUEUE", "lqueue");
    MUST(jsSubOptions_Init(&options));
    options.Queue = "workers";
    options.ManualAck = true;
    for (int i = 0; i < 2; i++)
        MUST(js_SubscribeSync(&subs[i], js, "lqueue", NULL, &options, NULL));
    publish_many(js, "lqueue", 400);
    for (int turn = 0; taken[0] + taken[1] < 400; turn = !turn) {
        natsMsg *msg = NULL;
        if (natsSubscription_NextMsg(&msg, subs[turn], 20) != NATS_OK)
            continue;
        taken[turn]++;
        MUST(natsMsg_AckSync(msg, NULL, NULL));
        natsMsg_Destroy(msg);
    }
    EXPECT(taken[0] > 0 && taken[1] > 0);
    for (int i = 0; i < 2; i++)
        natsSubscription_Destroy(subs[i]);
}

static void ordered(jsCtx *js) {
    struct seen seen = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 20000, true};
    natsSubscription *sub = NULL;
    jsSubOptions options;
    add_stream(js, "LORDER", "lorder");
    publish_many(js, "lorder", 10000);
    MUST(jsSubOptions_Init(&options));
    options.Ordered = true;
    MUST(js_Subscribe(&sub, js, "lorder", on_message, &seen, NULL, &options, NULL));
    char text[16];
    for (int i = 10001; i <= 20000; i++) {
        snprintf(text, sizeof text, "%d", i);
        MUST(js_PublishAsync(js, "lorder", text, (int)strlen(text), NULL));
    }
    MUST(js_PublishAsyncComplete(js, NULL));
    wait_for(&seen);
    EXPECT(seen.in_order && seen.count == 20000);
    MUST(natsSubscription_Unsubscribe(sub));
    natsSubscription_Destroy(sub);
}

/* --- key-value ------------------------------------------------------------------------------ */

static void key_value(jsCtx *js) {
    kvStore *kv = NULL;
    kvConfig config;
    kvEntry *entry = NULL;
    uint64_t revision = 0;
    MUST(kvConfig_Init(&config));
    config.Bucket = "LKV";
    config.History = 5;
    MUST(js_CreateKeyValue(&kv, js, &config));

    MUST(kvStore_Put(&revision, kv, "a", "one", 3));
    EXPECT(revision == 1);
    MUST(kvStore_Update(&revision, kv, "a", "two", 3, 1));
    EXPECT(revision == 2 && kvStore_Update(NULL, kv, "a", "no", 2, 1) != NATS_OK);
    EXPECT(kvStore_Create(NULL, kv, "a", "no", 2) != NATS_OK);
    MUST(kvStore_Create(&revision, kv, "b", "bee", 3));
    MUST(kvStore_Get(&entry, kv, "a"));
    EXPECT(kvEntry_Revision(entry) == 2 && strcmp(kvEntry_ValueString(entry), "two") == 0);
    kvEntry_Destroy(entry);

    kvEntryList history;
    MUST(kvStore_History(&history, kv, "a", NULL));
    EXPECT(history.Count == 2 && kvEntry_Revision(history.Entries[0]) == 1);
    kvEntryList_Destroy(&history);

    MUST(kvStore_Delete(kv, "a"));
    EXPECT(kvStore_Get(&entry, kv, "a") == NATS_NOT_FOUND);
    kvKeysList keys;
    MUST(kvStore_Keys(&keys, kv, NULL));
    EXPECT(keys.Count == 1 && strcmp(keys.Keys[0], "b") == 0);
    kvKeysList_Destroy(&keys);
    MUST(kvStore_Create(&revision, kv, "a", "again", 5)); /* a deleted key is free */
    MUST(kvStore_Purge(kv, "a", NULL));
    MUST(kvStore_History(&history, kv, "a", NULL));
    EXPECT(history.Count == 1 && kvEntry_Operation(history.Entries[0]) == kvOp_Purge);
    kvEntryList_Destroy(&history);
    kvStore_Destroy(kv);
    MUST(js_DeleteKeyValue(js, "LKV"));
}

static void watching(jsCtx *js) {
    kvStore *kv = NULL;
    kvConfig config;
    kvWatcher *watcher = NULL;
    kvEntry *entry = NULL;
    MUST(kvConfig_Init(&config));
    config.Bucket = "LWATCH";
    MUST(js_CreateKeyValue(&kv, js, &config));
    MUST(kvStore_PutString(NULL, kv, "x.one", "1"));
    MUST(kvStore_PutString(NULL, kv, "y.two", "2"));
    MUST(kvStore_Watch(&watcher, kv, "x.*", NULL));
    MUST(kvWatcher_Next(&entry, watcher, WAIT_MS));
    EXPECT(entry && strcmp(kvEntry_Key(entry), "x.one") == 0);
    kvEntry_Destroy(entry);
    MUST(kvWatcher_Next(&entry, watcher, WAIT_MS)); /* NULL: all that was there has come */
    EXPECT(!entry);
    MUST(kvStore_PutString(NULL, kv, "y.two", "3"));
    MUST(kvStore_Delete(kv, "x.one"));
    MUST(kvWatcher_Next(&entry, watcher, WAIT_MS));
    EXPECT(entry && kvEntry_Operation(entry) == kvOp_Delete);
    kvEntry_Destroy(entry);
    MUST(kvWatcher_Stop(watcher));
    kvWatcher_Destroy(watcher);
    kvStore_Destroy(kv);
}

static void account(jsCtx *js) {
    jsAccountInfo *info = NULL;
    add_stream(js, "LACC", "lacc");
    publish_many(js, "lacc", 3);
    MUST(js_GetAccountInfo(&info, js, NULL, NULL));
    EXPECT(info->Streams >= 1 && info->Store > 0 && info->API.Total > 0);
    EXPECT(info->Limits.MaxStreams == -1);
    jsAccountInfo_Destroy(info);
}

/* --- main ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(jsCtx *js);
    void (*run_connected)(natsConnection *connection);
} cases[] = {
    {"streams", streams, NULL},
    {"purge", purge, NULL},
    {"messages", messages, NULL},
    {"publishing", publishing, NULL},
    {"publishing_async", NULL, publishing_async},
    {"consumers", consumers, NULL},
    {"acks", acks, NULL},
    {"pulling", pulling, NULL},
    {"pushing", pushing, NULL},
    {"queueing", queueing, NULL},
    {"ordered", ordered, NULL},
    {"key_value", key_value, NULL},
    {"watching", watching, NULL},
    {"account", account, NULL},
};
#define CASE_COUNT (sizeof cases / sizeof *cases)

static int run(const char *url, const char *name) {
    natsConnection *connection = NULL;
    jsCtx *js = NULL;
    size_t i = 0;
    while (i < CASE_COUNT && strcmp(cases[i].name, name) != 0)
        i++;
    if (i == CASE_COUNT) {
        fprintf(stderr, "libnats_check: no case '%s'; --list names them\n", name);
        return 2;
    }
    MUST(natsConnection_ConnectTo(&connection, url));
    MUST(natsConnection_JetStream(&js, connection, NULL));
    if (cases[i].run)
        cases[i].run(js);
    else
        cases[i].run_connected(connection);
    jsCtx_Destroy(js);
    natsConnection_Destroy(connection);
    nats_Close();
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < CASE_COUNT; i++)
            puts(cases[i].name);
        return 0;
    }
    if (argc == 3)
        return run(argv[1], argv[2]);
    fprintf(stderr, "usage: libnats_check --list | URL CASE\n");
    return 2;
}
