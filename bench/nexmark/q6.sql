-- q6, average selling price by seller, of the last ten sales.
SELECT seller, avg(final) OVER (PARTITION BY seller ORDER BY date_time, id
                                ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS average
FROM (SELECT a.seller, a.id, b.price AS final, b.date_time,
             row_number() OVER (PARTITION BY a.id, a.seller
                                ORDER BY b.price DESC, b.date_time, b.extra) AS rn
      FROM auction a JOIN bid b
        ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires) q
WHERE rn <= 1
