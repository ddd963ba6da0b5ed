-- What the generator and the bidders publish, as tables.
CREATE TABLE person (
    id BIGINT, name VARCHAR, email_address VARCHAR, city VARCHAR, state VARCHAR,
    date_time TIMESTAMP
) WITH (subject = 'person.new');

CREATE TABLE auction (
    id BIGINT, item_name VARCHAR, initial_bid BIGINT, reserve BIGINT, date_time TIMESTAMP,
    expires TIMESTAMP, seller BIGINT, category BIGINT
) WITH (subject = 'auction.new');

CREATE TABLE bid (
    auction BIGINT, bidder BIGINT, price BIGINT, channel VARCHAR, date_time TIMESTAMP
) WITH (subject = 'bid.new', watermark = 'date_time - interval ''4 s''');
