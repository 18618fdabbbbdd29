-- attributes
WITH RECURSIVE deployed_package_chain(gobject_id, package_id, derived_from_package_id, depth) AS
(SELECT gobject.gobject_id AS gobject_id, package.package_id AS package_id, package.derived_from_package_id AS derived_from_package_id, 0 AS depth
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id JOIN package ON package.package_id = gobject.deployed_package_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) UNION ALL SELECT deployed_package_chain.gobject_id AS gobject_id, step.package_id AS package_id, step.derived_from_package_id AS derived_from_package_id, deployed_package_chain.depth + 1 AS anon_1
FROM deployed_package_chain JOIN package AS step ON step.package_id = deployed_package_chain.derived_from_package_id
WHERE deployed_package_chain.derived_from_package_id != 0 AND deployed_package_chain.depth < 10)
 SELECT gobject.gobject_id, gobject.tag_name, ranked.attribute_name, CASE WHEN (ranked.is_array = 1) THEN gobject.tag_name || '.' || ranked.attribute_name || '[]' ELSE gobject.tag_name || '.' || ranked.attribute_name END AS full_tag_reference, ranked.mx_data_type, data_type.description AS data_type_name, ranked.is_array, ranked.mx_value_head, ranked.mx_attribute_category, ranked.security_classification, CASE WHEN (ranked.source_rank = 0 AND extended.is_historized = 1) THEN 1 ELSE 0 END AS is_historized, CASE WHEN (ranked.source_rank = 0 AND extended.is_alarm = 1) THEN 1 ELSE 0 END AS is_alarm, ranked.source_rank, ranked.is_extension, ranked.depth
FROM (SELECT found.gobject_id AS gobject_id, found.attribute_name AS attribute_name, found.mx_data_type AS mx_data_type, found.is_array AS is_array, found.mx_value_head AS mx_value_head, found.mx_attribute_category AS mx_attribute_category, found.security_classification AS security_classification, found.source_rank AS source_rank, found.depth AS depth, found.mx_primitive_id AS mx_primitive_id, found.definition_id AS definition_id, found.is_extension AS is_extension, row_number() OVER (PARTITION BY found.gobject_id, lower(found.attribute_name) ORDER BY found.source_rank, found.depth, found.mx_primitive_id, found.definition_id) AS precedence
FROM (SELECT deployed_package_chain.gobject_id AS gobject_id, dynamic_attribute.attribute_name AS attribute_name, dynamic_attribute.mx_data_type AS mx_data_type, dynamic_attribute.is_array AS is_array, substring(dynamic_attribute.mx_value, 1, 24) AS mx_value_head, dynamic_attribute.mx_attribute_category AS mx_attribute_category, dynamic_attribute.security_classification AS security_classification, 0 AS source_rank, deployed_package_chain.depth AS depth, dynamic_attribute.mx_primitive_id AS mx_primitive_id, 0 AS definition_id, CASE WHEN (lower(dynamic_attribute.attribute_name) LIKE '%' || '.engunits' ESCAPE '/') THEN 1 ELSE 0 END AS is_extension
FROM deployed_package_chain JOIN dynamic_attribute ON dynamic_attribute.package_id = deployed_package_chain.package_id
WHERE (dynamic_attribute.attribute_name NOT LIKE '/_' || '%' ESCAPE '/') AND (lower(dynamic_attribute.attribute_name) NOT LIKE '%' || '.description' ESCAPE '/') AND dynamic_attribute.mx_attribute_category IN (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 24) UNION ALL SELECT deployed_package_chain.gobject_id AS gobject_id, CASE WHEN (primitive_instance.primitive_name = '') THEN attribute_definition.attribute_name ELSE primitive_instance.primitive_name || '.' || attribute_definition.attribute_name END AS attribute_name, attribute_definition.mx_data_type AS mx_data_type, attribute_definition.is_array AS is_array, substring(attribute_definition.mx_value, 1, 24) AS mx_value_head, attribute_definition.mx_attribute_category AS mx_attribute_category, attribute_definition.security_classification AS security_classification, 1 AS source_rank, deployed_package_chain.depth AS depth, primitive_instance.mx_primitive_id AS mx_primitive_id, attribute_definition.attribute_definition_id AS definition_id, CASE WHEN (primitive_instance.primitive_name != '' AND coalesce(primitive_instance.extension_type, '') != '') THEN 1 ELSE 0 END AS is_extension
FROM deployed_package_chain JOIN primitive_instance ON primitive_instance.package_id = deployed_package_chain.package_id JOIN attribute_definition ON attribute_definition.primitive_definition_id = primitive_instance.primitive_definition_id
WHERE (attribute_definition.attribute_name NOT LIKE '/_' || '%' ESCAPE '/') AND (primitive_instance.primitive_name NOT LIKE '/_' || '%' ESCAPE '/')) AS found) AS ranked JOIN gobject ON gobject.gobject_id = ranked.gobject_id LEFT OUTER JOIN data_type ON data_type.mx_data_type = ranked.mx_data_type LEFT OUTER JOIN (SELECT deployed_package_chain.gobject_id AS gobject_id, lower(primitive_instance.primitive_name) AS extended_name, max(CASE WHEN (lower(primitive_definition.primitive_name) = 'historyextension') THEN 1 ELSE 0 END) AS is_historized, max(CASE WHEN (lower(primitive_definition.primitive_name) = 'alarmextension') THEN 1 ELSE 0 END) AS is_alarm
FROM deployed_package_chain JOIN primitive_instance ON primitive_instance.package_id = deployed_package_chain.package_id JOIN primitive_definition ON primitive_definition.primitive_definition_id = primitive_instance.primitive_definition_id
WHERE lower(primitive_definition.primitive_name) IN ('historyextension', 'alarmextension') GROUP BY deployed_package_chain.gobject_id, lower(primitive_instance.primitive_name)) AS extended ON extended.gobject_id = ranked.gobject_id AND extended.extended_name = lower(ranked.attribute_name)
WHERE ranked.precedence = 1 ORDER BY gobject.tag_name, ranked.attribute_name;

-- configured_rows
WITH RECURSIVE deployed_package_chain(gobject_id, package_id, derived_from_package_id, depth) AS
(SELECT gobject.gobject_id AS gobject_id, package.package_id AS package_id, package.derived_from_package_id AS derived_from_package_id, 0 AS depth
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id JOIN package ON package.package_id = gobject.deployed_package_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) UNION ALL SELECT deployed_package_chain.gobject_id AS gobject_id, step.package_id AS package_id, step.derived_from_package_id AS derived_from_package_id, deployed_package_chain.depth + 1 AS anon_1
FROM deployed_package_chain JOIN package AS step ON step.package_id = deployed_package_chain.derived_from_package_id
WHERE deployed_package_chain.derived_from_package_id != 0 AND deployed_package_chain.depth < 10)
 SELECT dynamic_attribute.package_id, dynamic_attribute.attribute_name, dynamic_attribute.mx_data_type, dynamic_attribute.is_array, substring(dynamic_attribute.mx_value, 1, 24) AS mx_value_head, dynamic_attribute.mx_attribute_category, dynamic_attribute.security_classification
FROM dynamic_attribute
WHERE dynamic_attribute.package_id IN (SELECT deployed_package_chain.package_id
FROM deployed_package_chain) AND (dynamic_attribute.attribute_name NOT LIKE '/_' || '%' ESCAPE '/') AND (lower(dynamic_attribute.attribute_name) NOT LIKE '%' || '.description' ESCAPE '/') AND dynamic_attribute.mx_attribute_category IN (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 24) ORDER BY dynamic_attribute.package_id, dynamic_attribute.mx_primitive_id;

-- data_type_rows
SELECT data_type.mx_data_type, data_type.description
FROM data_type;

-- definition_rows
SELECT attribute_definition.primitive_definition_id, attribute_definition.attribute_name, attribute_definition.mx_data_type, attribute_definition.is_array, substring(attribute_definition.mx_value, 1, 24) AS mx_value_head, attribute_definition.mx_attribute_category, attribute_definition.security_classification
FROM attribute_definition
WHERE (attribute_definition.attribute_name NOT LIKE '/_' || '%' ESCAPE '/') ORDER BY attribute_definition.primitive_definition_id, attribute_definition.attribute_definition_id;

-- deploy_time
SELECT galaxy.time_of_last_deploy
FROM galaxy;

-- hierarchy
SELECT gobject.gobject_id, gobject.tag_name, gobject.contained_name, CASE WHEN (coalesce(gobject.contained_name, '') != '') THEN gobject.contained_name ELSE gobject.tag_name END AS browse_name, CASE WHEN (gobject.contained_by_gobject_id != 0) THEN gobject.contained_by_gobject_id ELSE gobject.area_gobject_id END AS parent_gobject_id, CASE WHEN (template_definition.category_id = 13) THEN 1 ELSE 0 END AS is_area, template_definition.category_id, gobject.hosted_by_gobject_id
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) ORDER BY CASE WHEN (gobject.contained_by_gobject_id != 0) THEN gobject.contained_by_gobject_id ELSE gobject.area_gobject_id END, gobject.tag_name;

-- object_rows
SELECT gobject.gobject_id, gobject.tag_name, gobject.contained_name, CASE WHEN (gobject.contained_by_gobject_id != 0) THEN gobject.contained_by_gobject_id ELSE gobject.area_gobject_id END AS parent_gobject_id, template_definition.category_id, gobject.hosted_by_gobject_id, gobject.derived_from_gobject_id, gobject.deployed_package_id
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26);

-- package_rows
WITH RECURSIVE deployed_package_chain(gobject_id, package_id, derived_from_package_id, depth) AS
(SELECT gobject.gobject_id AS gobject_id, package.package_id AS package_id, package.derived_from_package_id AS derived_from_package_id, 0 AS depth
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id JOIN package ON package.package_id = gobject.deployed_package_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) UNION ALL SELECT deployed_package_chain.gobject_id AS gobject_id, step.package_id AS package_id, step.derived_from_package_id AS derived_from_package_id, deployed_package_chain.depth + 1 AS anon_1
FROM deployed_package_chain JOIN package AS step ON step.package_id = deployed_package_chain.derived_from_package_id
WHERE deployed_package_chain.derived_from_package_id != 0 AND deployed_package_chain.depth < 10)
 SELECT package.package_id, package.derived_from_package_id
FROM package
WHERE package.package_id IN (SELECT deployed_package_chain.package_id
FROM deployed_package_chain);

-- primitive_definition_rows
SELECT primitive_definition.primitive_definition_id, primitive_definition.primitive_name
FROM primitive_definition;

-- primitive_rows
WITH RECURSIVE deployed_package_chain(gobject_id, package_id, derived_from_package_id, depth) AS
(SELECT gobject.gobject_id AS gobject_id, package.package_id AS package_id, package.derived_from_package_id AS derived_from_package_id, 0 AS depth
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id JOIN package ON package.package_id = gobject.deployed_package_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) UNION ALL SELECT deployed_package_chain.gobject_id AS gobject_id, step.package_id AS package_id, step.derived_from_package_id AS derived_from_package_id, deployed_package_chain.depth + 1 AS anon_1
FROM deployed_package_chain JOIN package AS step ON step.package_id = deployed_package_chain.derived_from_package_id
WHERE deployed_package_chain.derived_from_package_id != 0 AND deployed_package_chain.depth < 10)
 SELECT primitive_instance.package_id, primitive_instance.primitive_name, primitive_instance.primitive_definition_id, CASE WHEN (primitive_instance.primitive_name != '' AND coalesce(primitive_instance.extension_type, '') != '') THEN 1 ELSE 0 END AS is_extension
FROM primitive_instance
WHERE primitive_instance.package_id IN (SELECT deployed_package_chain.package_id
FROM deployed_package_chain) AND (primitive_instance.primitive_name NOT LIKE '/_' || '%' ESCAPE '/') ORDER BY primitive_instance.package_id, primitive_instance.mx_primitive_id;

-- probe
SELECT 1;

-- template_chains
WITH RECURSIVE template_chain(gobject_id, template_gobject_id, derived_from_gobject_id, depth) AS
(SELECT gobject.gobject_id AS gobject_id, template.gobject_id AS template_gobject_id, template.derived_from_gobject_id AS derived_from_gobject_id, 0 AS depth
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id JOIN gobject AS template ON template.gobject_id = gobject.derived_from_gobject_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) UNION ALL SELECT template_chain.gobject_id AS gobject_id, step.gobject_id AS gobject_id_1, step.derived_from_gobject_id AS derived_from_gobject_id, template_chain.depth + 1 AS anon_1
FROM template_chain JOIN gobject AS step ON step.gobject_id = template_chain.derived_from_gobject_id
WHERE template_chain.derived_from_gobject_id != 0 AND template_chain.depth < 10)
 SELECT template_chain.gobject_id, template_chain.depth, name.tag_name AS template_name
FROM template_chain JOIN gobject AS name ON name.gobject_id = template_chain.template_gobject_id ORDER BY template_chain.gobject_id, template_chain.depth;

-- template_rows
SELECT gobject.gobject_id, gobject.tag_name, gobject.derived_from_gobject_id
FROM gobject
WHERE gobject.gobject_id IN (SELECT derived.derived_from_gobject_id
FROM gobject AS derived);

-- text_rows
WITH RECURSIVE deployed_package_chain(gobject_id, package_id, derived_from_package_id, depth) AS
(SELECT gobject.gobject_id AS gobject_id, package.package_id AS package_id, package.derived_from_package_id AS derived_from_package_id, 0 AS depth
FROM gobject JOIN template_definition ON gobject.template_definition_id = template_definition.template_definition_id JOIN package ON package.package_id = gobject.deployed_package_id
WHERE gobject.is_template = 0 AND gobject.deployed_package_id != 0 AND gobject.namespace_id = 1 AND template_definition.category_id IN (1, 3, 4, 10, 11, 13, 17, 24, 26) UNION ALL SELECT deployed_package_chain.gobject_id AS gobject_id, step.package_id AS package_id, step.derived_from_package_id AS derived_from_package_id, deployed_package_chain.depth + 1 AS anon_1
FROM deployed_package_chain JOIN package AS step ON step.package_id = deployed_package_chain.derived_from_package_id
WHERE deployed_package_chain.derived_from_package_id != 0 AND deployed_package_chain.depth < 10)
 SELECT dynamic_attribute.package_id, dynamic_attribute.attribute_name, substring(dynamic_attribute.mx_value, 1, 1048) AS mx_value_text
FROM dynamic_attribute
WHERE dynamic_attribute.package_id IN (SELECT deployed_package_chain.package_id
FROM deployed_package_chain) AND ((lower(dynamic_attribute.attribute_name) LIKE '%' || '.engunits' ESCAPE '/') OR (lower(dynamic_attribute.attribute_name) LIKE '%' || '.description' ESCAPE '/')) ORDER BY dynamic_attribute.package_id, dynamic_attribute.attribute_name;
