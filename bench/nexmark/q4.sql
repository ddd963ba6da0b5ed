-- q4, average of winning prices by category.
SELECT category, avg(final) AS average
FROM (SELECT max(b.price) AS final, a.category
      FROM auction a JOIN bid b
        ON a.id = b.auction AND b.date_time BETWEEN a.date_time AND a.expires
      GROUP BY a.id, a.category) q
GROUP BY category
