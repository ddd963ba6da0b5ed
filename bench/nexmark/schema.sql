-- The Nexmark tables over what the generator publishes (docs/sql.md).
CREATE TABLE person (
    id BIGINT, name VARCHAR, email_address VARCHAR, credit_card VARCHAR, city VARCHAR,
    state VARCHAR, date_time TIMESTAMP(3), extra VARCHAR
) WITH (subject = 'person.new', watermark = 'date_time - interval ''4 s''');
CREATE TABLE auction (
    id BIGINT, item_name VARCHAR, description VARCHAR, initial_bid BIGINT, reserve BIGINT,
    date_time TIMESTAMP(3), expires TIMESTAMP(3), seller BIGINT, category BIGINT, extra VARCHAR
) WITH (subject = 'auction.new', watermark = 'date_time - interval ''4 s''');
CREATE TABLE bid (
    auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, url VARCHAR,
    date_time TIMESTAMP(3), extra VARCHAR
) WITH (subject = 'bid.new', watermark = 'date_time - interval ''4 s''');
-- The same bids by the time at which the log took them.
CREATE TABLE arrival (bidder BIGINT, nonet_time TIMESTAMPTZ) WITH (subject = 'bid.new');
