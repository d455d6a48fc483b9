package migratetest

import (
	"context"
)

// CloseTask ends the migration tasks of a product that are open in the console, as a person does who gives its lane up: they count among the
// five no more. What has moved stays at the target. Whether the platform's console offers it, and how, is not documented. Its
// errors are those of the console.
func (c *Cloud) CloseTask(ctx context.Context, productKey string) error {
	console := c.cloud.Console()
	for _, t := range console.Tasks() {
		if t.ProductKey != productKey || !t.State.Running() {
			continue
		}
		if err := console.Close(ctx, t.ID); err != nil {
			return err
		}
	}
	return nil
}
