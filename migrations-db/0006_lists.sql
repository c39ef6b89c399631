-- Where one glob or path stood, a list of them stands.

UPDATE rule SET body = json_set(
    body,
    '$.layout', (
        SELECT json_group_array(
            json_set(json_remove(value, '$.glob'), '$.globs', json_array(value ->> 'glob'))
            ORDER BY key)
        FROM json_each(rule.body, '$.layout')),
    '$.secrets', (
        SELECT json_group_array(
            json_set(json_remove(value, '$.glob'), '$.globs', json_array(value ->> 'glob'))
            ORDER BY key)
        FROM json_each(rule.body, '$.secrets')),
    '$.created', (
        SELECT json_group_array(
            json_set(json_remove(value, '$.path'), '$.paths', json_array(value ->> 'path'))
            ORDER BY key)
        FROM json_each(rule.body, '$.created')));
