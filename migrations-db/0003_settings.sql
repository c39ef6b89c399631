-- What a transition said of the insides of files is said of the rule: an `edit` among its steps is
-- an entry of `settings`, its operations lists by their kind.

UPDATE rule SET body = json_set(
    body,
    '$.settings', (
        SELECT json_group_array(
            json_object(
                'files', json_array(step.value ->> '$.edit.file'),
                'syntax', step.value ->> '$.edit.syntax',
                'ask', (
                    SELECT json_group_array(json_patch('{}', json_object(
                        'keys', json_array(op ->> 'key'),
                        'values', json(iif(op ->> 'value' IS NULL, 'null', json_array(op ->> 'value'))),
                        'why', op ->> 'why', 'since', op ->> 'since')) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'flag' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL),
                'replace', (
                    SELECT json_group_array(json(op) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'replace' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL),
                'map-value', (
                    SELECT json_group_array(json_patch('{}', json_object(
                        'keys', json_array(op ->> 'key'), 'values', op -> 'values',
                        'since', op ->> 'since')) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'map-value' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL),
                'rename', (
                    SELECT json_group_array(json(op) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'rename' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL),
                'gone', (
                    SELECT json_group_array(json_patch('{}', json_object(
                        'keys', json_array(op ->> 'key'),
                        'values', json(iif(op ->> 'value' IS NULL, 'null', json_array(op ->> 'value'))),
                        'why', op ->> 'why', 'since', op ->> 'since')) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'comment-out' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL),
                'set', (
                    SELECT json_group_array(json(op) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'set' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL),
                'set-if-unset', (
                    SELECT json_group_array(json(op) ORDER BY place)
                    FROM (SELECT key AS place, value -> 'set-if-unset' AS op
                          FROM json_each(step.value, '$.edit.ops')) WHERE op IS NOT NULL))
            ORDER BY transition.key, step.key)
        FROM json_each(rule.body, '$.transitions') AS transition,
             json_each(transition.value, '$.steps') AS step
        WHERE step.value -> 'edit' IS NOT NULL),
    '$.transitions', (
        SELECT json_group_array(
            json_set(transition.value, '$.steps', (
                SELECT json_group_array(json(step.value) ORDER BY step.key)
                FROM json_each(transition.value, '$.steps') AS step
                WHERE step.value -> 'edit' IS NULL))
            ORDER BY transition.key)
        FROM json_each(rule.body, '$.transitions') AS transition));
