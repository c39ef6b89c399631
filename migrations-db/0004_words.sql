-- Words that the language has no more, taken out of the bodies.

-- Digests stand under the release they were seen in. Of those in a plain list it is not known.
UPDATE rule SET body = json_set(body, '$.layout', json((
    SELECT json_group_array(
        json(CASE
            WHEN json_type(value, '$.sha256') IS NOT 'array' THEN value
            WHEN json_array_length(value, '$.sha256') = 0 THEN json_remove(value, '$.sha256')
            ELSE json_set(value, '$.sha256',
                          json_object('unknown', json(value -> '$.sha256')))
        END)
        ORDER BY key)
    FROM json_each(body, '$.layout'))))
WHERE json_type(body, '$.layout') = 'array';

-- Packages and accounts are renamed by their lists in the rule. As steps they never did anything.
UPDATE rule SET body = json_set(body, '$.transitions', json((
    SELECT json_group_array(
        json(json_set(transition.value, '$.steps', json((
            SELECT json_group_array(json(step.value) ORDER BY step.key)
            FROM json_each(transition.value, '$.steps') AS step
            WHERE step.value -> '$."rename-package"' IS NULL
              AND step.value -> '$."rename-account"' IS NULL))))
        ORDER BY transition.key)
    FROM json_each(body, '$.transitions') AS transition)))
WHERE json_type(body, '$.transitions') = 'array';
