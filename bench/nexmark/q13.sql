-- q13, a side input is looked up as of now.
SELECT b.auction, b.bidder, b.price, b.date_time, s.value
FROM bid b JOIN as_of_now(side_input) s ON mod(b.auction, 10000) = s.key
